import TestSupport
import Testing
import Wire

@Suite struct ICMPv6Tests {
    @Test func kernelErrorIsRead() throws {
        try HeapPacket.with(KernelFrames.portUnreachableV6.packet) { bytes in
            let packet = try #require(IPv6Header(bytes))
            let header = try #require(ICMPv6Header(packet.payload))
            #expect(header.type == ICMPv6Type.destinationUnreachable && header.code == ICMPv6Code.portUnreachable)
            #expect(header.rest == 0 && header.isError)
            #expect(header.hasValidChecksum(source: packet.source, destination: packet.destination))
            #expect(!header.hasValidChecksum(source: packet.source, destination: .anyV6))
            let quoted = try #require(IPv6Header(quoted: header.quoted))
            #expect(quoted.destination == packet.source && quoted.nextHeader == IPProtocol.tcp)
        }
    }

    @Test func kernelErrorIsWritten() throws {
        let kernels = Array(KernelFrames.portUnreachableV6.packet.dropFirst(40))
        let (source, destination) = try (
            #require(IPAddress("2001:db8:80::80")), #require(IPAddress("2001:db8:ffff::1"))
        )
        let written = HeapPacket.changing([UInt8](repeating: 0xee, count: 8) + kernels.dropFirst(8)) { bytes in
            ICMPv6Header(unchecked: bytes).emit(
                type: ICMPv6Type.destinationUnreachable, code: ICMPv6Code.portUnreachable, rest: 0, source: source,
                destination: destination)
        }
        #expect(written == kernels)
    }

    @Test func fieldsAreWritten() {
        let written = HeapPacket.changing([UInt8](repeating: 0, count: 8)) { bytes in
            let header = ICMPv6Header(unchecked: bytes)
            header.type = ICMPv6Type.packetTooBig
            header.mtu = 1280
            #expect(header.mtu == 1280 && header.rest == 1280)
        }
        #expect(written == hexadecimal("02000000 00000500"))
        let echo = HeapPacket.changing([128, 0, 0, 0, 0, 0, 0, 0]) { bytes in
            let header = ICMPv6Header(unchecked: bytes)
            header.code = 3
            header.identifier = 0x0102
            header.sequence = 0x0304
            #expect(header.identifier == 0x0102 && header.sequence == 0x0304)
        }
        #expect(echo == hexadecimal("80030000 01020304"))
    }

    @Test func errorsAreBelow128() {
        #expect((0...255).filter { ICMPv6Header.isError(UInt8($0)) } == Array(0..<128))
    }

    @Test(arguments: 0..<8) func shortMessagesAreRefused(length: Int) {
        HeapPacket.with([UInt8](repeating: 0, count: length)) { #expect(ICMPv6Header($0) == nil) }
    }
}
