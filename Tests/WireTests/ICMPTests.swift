import TestSupport
import Testing
import Wire

@Suite struct ICMPTests {
    @Test func kernelErrorIsRead() throws {
        try HeapPacket.with(Array(KernelFrames.portUnreachable.packet.dropFirst(20))) { bytes in
            let header = try #require(ICMPHeader(bytes))
            #expect(header.type == ICMPType.destinationUnreachable && header.code == ICMPCode.portUnreachable)
            #expect(header.rest == 0 && header.isError && header.hasValidChecksum)
            let quoted = try #require(IPv4Header(quoted: header.quoted))
            #expect(quoted.source.description == "198.51.100.1" && quoted.destination.description == "203.0.113.80")
            #expect(header.quoted.array() == KernelFrames.tcpRequest.packet)
        }
    }

    @Test func kernelErrorIsWritten() {
        let kernels = Array(KernelFrames.portUnreachable.packet.dropFirst(20))
        let written = HeapPacket.changing([UInt8](repeating: 0xee, count: 8) + kernels.dropFirst(8)) { bytes in
            ICMPHeader(unchecked: bytes).emit(
                type: ICMPType.destinationUnreachable, code: ICMPCode.portUnreachable, rest: 0)
        }
        #expect(written == kernels)
    }

    @Test func fieldsAreWritten() {
        let written = HeapPacket.changing([UInt8](repeating: 0, count: 8)) { bytes in
            let header = ICMPHeader(unchecked: bytes)
            header.type = ICMPType.echoRequest
            header.code = 1
            header.identifier = 0x0203
            header.sequence = 0x0405
            #expect(header.rest == 0x0203_0405 && header.identifier == 0x0203 && header.sequence == 0x0405)
        }
        #expect(written == hexadecimal("08010000 02030405"))
    }

    @Test func nextHopMTUIsTheLastTwoBytes() {
        let written = HeapPacket.changing([3, 4, 0, 0, 0, 0, 0, 0]) { bytes in
            let header = ICMPHeader(unchecked: bytes)
            header.nextHopMTU = 1400
            header.fillChecksum()
            #expect(header.nextHopMTU == 1400 && header.rest == 0x578 && header.hasValidChecksum)
        }
        #expect(written == hexadecimal("0304f783 00000578"))
    }

    @Test func aWrongChecksumIsSeen() {
        let message = PacketBuilder.icmp(from: "192.0.2.1", to: "192.0.2.2", type: 8, code: 0, payload: [1, 2, 3])
        for (choice, isRight) in [(PacketBuilder.ChecksumChoice.right, true), (.wrong, false)] {
            HeapPacket.with(message.setting(\.transportChecksum, choice).segment()) { bytes in
                #expect(ICMPHeader(bytes)?.hasValidChecksum == isRight)
            }
        }
    }

    @Test func errorsAreTypes3To5And11And12() {
        #expect((0...255).filter { ICMPHeader.isError(UInt8($0)) } == [3, 4, 5, 11, 12])
    }

    @Test(arguments: 0..<8) func shortMessagesAreRefused(length: Int) {
        HeapPacket.with([UInt8](repeating: 0, count: length)) { #expect(ICMPHeader($0) == nil) }
    }
}
