import TestSupport
import Testing
import Wire

@Suite struct IPv6ExtensionsTests {
    private static func udp(_ headers: [(UInt8, [UInt8])]) -> PacketBuilder {
        PacketBuilder.udp(from: "[2001:db8::1]:7", to: "[2001:db8::2]:9", payload: [1, 2, 3])
            .setting(\.extensionHeaders, headers)
    }

    private static func find(_ packet: [UInt8]) throws -> IPv6Transport? {
        try HeapPacket.with(packet) { try #require(IPv6Header(quoted: $0)).findTransport() }
    }

    private static let options: [UInt8] = [0, 0, 1, 4, 0, 0, 0, 0]
    private static let longOptions: [UInt8] = [0, 2] + [UInt8](repeating: 0, count: 22)
    private static let whole: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 7]
    private static let authentication: [UInt8] = [0, 4] + [UInt8](repeating: 0, count: 22)

    @Test func withoutExtensionsTheTransportFollows() throws {
        let found = try #require(try Self.find(KernelFrames.tcpForwardedV6.packet))
        #expect(found.transportProtocol == IPProtocol.tcp && found.offset == 40)
        #expect(found.fragmentHeaderOffset == nil && !found.startsWithHopByHop)
    }

    @Test func kernelFragmentIsRead() throws {
        // Cut off after 64 bytes, as an ICMPv6 error would quote it.
        let packet = KernelFrames.fragmentV6.packet
        let found = try #require(try Self.find(packet))
        #expect(found.transportProtocol == IPProtocol.udp && found.offset == 48 && found.fragmentHeaderOffset == 40)
        try HeapPacket.with(Array(packet.dropFirst(40))) { bytes in
            let header = try #require(IPv6Fragment(bytes))
            #expect(header.nextHeader == IPProtocol.udp && header.identification == 0x1111_1111)
            #expect(header.fragmentOffset == 0 && header.hasMoreFragments && !header.isAtomic)
            #expect(header.payload.count == bytes.count - 8)
        }
    }

    @Test func everyKindIsWalkedOver() throws {
        let packet = Self.udp([
            (IPProtocol.hopByHop, Self.options), (IPProtocol.destinationOptions, Self.longOptions),
            (IPProtocol.routing, Self.options), (IPProtocol.fragment, Self.whole),
            (IPProtocol.authentication, Self.authentication), (IPProtocol.destinationOptions, Self.options),
        ]).packet()
        let found = try #require(try Self.find(packet))
        #expect(found.transportProtocol == IPProtocol.udp)
        #expect(found.offset == 40 + 8 + 24 + 8 + 8 + 24 + 8)
        #expect(found.fragmentHeaderOffset == 40 + 8 + 24 + 8)
        #expect(found.startsWithHopByHop)
    }

    @Test func laterFragmentsEndTheWalk() throws {
        let frames = Self.udp([(IPProtocol.hopByHop, Self.options)]).setting(
            \.payload, [UInt8](repeating: 0, count: 60)
        )
        .fragments(size: 32)
        #expect(frames.count == 3)
        for (index, frame) in frames.enumerated() {
            let found = try #require(try Self.find(frame.packet))
            #expect(found.transportProtocol == IPProtocol.udp && found.offset == 56)
            #expect(found.fragmentHeaderOffset == 48 && found.startsWithHopByHop)
            HeapPacket.with(Array(frame.packet.dropFirst(48))) { bytes in
                #expect(IPv6Fragment(bytes)?.fragmentOffset == index * 32)
            }
        }
        // What follows a later fragment's header is no header, whatever its number says.
        let later = Self.udp([
            (IPProtocol.fragment, [0, 0, 0, 8, 0, 0, 0, 7]),
            (IPProtocol.destinationOptions, [0, 255, 1, 4, 0, 0, 0, 0]),
        ]).packet()
        let found = try #require(try Self.find(later))
        #expect(found.transportProtocol == IPProtocol.destinationOptions && found.offset == 48)
    }

    @Test func noNextHeaderIsAnEnd() throws {
        let packet = PacketBuilder(from: "2001:db8::1", to: "2001:db8::2", .other(IPProtocol.none))
            .setting(\.extensionHeaders, [(IPProtocol.destinationOptions, Self.options)]).packet()
        let found = try #require(try Self.find(packet))
        #expect(found.transportProtocol == IPProtocol.none && found.offset == packet.count)
        #expect(!found.startsWithHopByHop)
    }

    @Test func cutOffHeadersAreRefused() throws {
        for header in [
            (IPProtocol.hopByHop, Self.longOptions), (IPProtocol.routing, Self.longOptions),
            (IPProtocol.authentication, Self.authentication), (IPProtocol.fragment, Self.whole),
        ] {
            let packet = Self.udp([header]).packet()
            for end in 40..<40 + header.1.count {
                #expect(try Self.find(Array(packet.prefix(end))) == nil, "\(header.0) cut at \(end)")
            }
            #expect(try Self.find(Array(packet.prefix(40 + header.1.count)))?.offset == 40 + header.1.count)
        }
    }

    @Test func headersBeyondThePayloadLengthAreRefused() throws {
        var packet = Self.udp([(IPProtocol.hopByHop, Self.longOptions)]).packet()
        packet[5] = 16
        #expect(try Self.find(packet) == nil)
    }

    @Test func theNumberOfHeadersIsBounded() throws {
        let header = (IPProtocol.destinationOptions, Self.options)
        let limit = IPv6Header.extensionHeaderLimit
        let most = Self.udp([(UInt8, [UInt8])](repeating: header, count: limit)).packet()
        #expect(try Self.find(most)?.offset == 40 + 8 * limit)
        #expect(try Self.find(Self.udp([(UInt8, [UInt8])](repeating: header, count: limit + 1)).packet()) == nil)
    }

    @Test func fragmentHeaderIsWritten() {
        let written = HeapPacket.changing([UInt8](repeating: 0xee, count: 8)) { bytes in
            IPv6Fragment(unchecked: bytes).emit(
                nextHeader: 17, fragmentOffset: 1448, hasMoreFragments: true, identification: 0x0102_0304)
        }
        #expect(written == hexadecimal("1100 05a9 01020304"))
        HeapPacket.with(Self.whole) { #expect(IPv6Fragment($0)?.isAtomic == true) }
    }

    @Test(arguments: 0..<8) func shortFragmentHeadersAreRefused(length: Int) {
        HeapPacket.with([UInt8](repeating: 0, count: length)) { #expect(IPv6Fragment($0) == nil) }
    }
}
