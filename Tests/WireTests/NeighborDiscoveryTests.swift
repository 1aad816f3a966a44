import TestSupport
import Testing
import Wire

@Suite struct NeighborDiscoveryTests {
    private let router = IPAddress(high: 0xfe80_0000_0000_0000, low: 0x0200_00ff_fe00_01fe)
    private let virtual = IPAddress(high: 0x2001_0db8_0080_0000, low: 0x80)
    private let routerMAC = MACAddress(bits: 0x0200_0000_01fe)
    private let directorMAC = MACAddress(bits: 0x0200_0000_0101)

    @Test func solicitationIsWrittenAndRead() throws {
        let message = try HeapPacket.changing([UInt8](repeating: 0, count: NeighborSolicitation.lengthWithMAC)) {
            bytes in
            NeighborSolicitation(unchecked: bytes).emit(
                target: virtual, sourceMAC: routerMAC, source: router, destination: virtual.solicitedNode)
            let read = try #require(NeighborSolicitation(bytes))
            #expect(read.target == virtual && read.sourceMAC == routerMAC)
            let header = try #require(ICMPv6Header(bytes))
            #expect(header.hasValidChecksum(source: router, destination: virtual.solicitedNode))
            #expect(NeighborAdvertisement(bytes) == nil)
        }
        #expect(Array(message[..<2]) == [135, 0])
        #expect(Array(message[4...]) == hexadecimal("00000000 20010db8008000000000000000000080 0101 0200000001fe"))
    }

    @Test func advertisementIsWrittenAndRead() throws {
        let message = try HeapPacket.changing([UInt8](repeating: 0, count: NeighborAdvertisement.lengthWithMAC)) {
            bytes in
            NeighborAdvertisement(unchecked: bytes).emit(
                flags: [.solicited, .override], target: virtual, targetMAC: directorMAC, source: virtual,
                destination: router)
            let read = try #require(NeighborAdvertisement(bytes))
            #expect(read.flags == [.solicited, .override] && !read.flags.contains(.router))
            #expect(read.target == virtual && read.targetMAC == directorMAC)
            let header = try #require(ICMPv6Header(bytes))
            #expect(header.hasValidChecksum(source: virtual, destination: router))
            #expect(NeighborSolicitation(bytes) == nil)
        }
        #expect(Array(message[..<2]) == [136, 0])
        #expect(Array(message[4...]) == hexadecimal("60000000 20010db8008000000000000000000080 0201 020000000101"))
    }

    @Test func theMACMayBeLeftOut() throws {
        try HeapPacket.with([UInt8](repeating: 0, count: NeighborSolicitation.minimumLength)) { bytes in
            NeighborSolicitation(unchecked: bytes).emit(
                target: virtual, sourceMAC: nil, source: .anyV6, destination: virtual.solicitedNode)
            let read = try #require(NeighborSolicitation(bytes))
            #expect(read.sourceMAC == nil)
            NeighborAdvertisement(unchecked: bytes).emit(
                flags: .override, target: virtual, targetMAC: nil, source: virtual, destination: .allNodesV6)
            let advertisement = try #require(NeighborAdvertisement(bytes))
            #expect(advertisement.targetMAC == nil)
        }
    }

    private func solicitation(options: String) -> [UInt8] {
        hexadecimal("87000000 00000000 20010db8008000000000000000000080" + options)
    }

    @Test func otherOptionsAreSkipped() throws {
        // A nonce (RFC 3971) of eight bytes, one of sixteen, then the MAC.
        let options = "0e01 000000000000 0e02 0000000000000000000000000000 0101 0200000001fe"
        HeapPacket.with(solicitation(options: options)) { bytes in
            #expect(NeighborSolicitation(bytes)?.sourceMAC == routerMAC)
        }
        try HeapPacket.with(solicitation(options: "0201 0200000001fe")) { bytes in
            let read = try #require(NeighborSolicitation(bytes))
            #expect(read.sourceMAC == nil)
        }
    }

    @Test(arguments: ["0100 0200000001fe", "0102 0200000001fe", "01", "0101 0200000001", "0101 0200000001fe 0e"])
    func malformedOptionsAreRefused(options: String) {
        HeapPacket.with(solicitation(options: options)) { #expect(NeighborSolicitation($0) == nil) }
    }

    @Test func messagesInBadFormAreRefused() {
        let good = solicitation(options: "")
        HeapPacket.with(good) { #expect(NeighborSolicitation($0) != nil) }
        HeapPacket.with(Array(good.dropLast())) { #expect(NeighborSolicitation($0) == nil) }
        HeapPacket.with([]) { #expect(NeighborSolicitation($0) == nil && NeighborAdvertisement($0) == nil) }
        for (offset, value) in [(0, 134), (1, 1), (8, 0xff)] {
            var bad = good
            bad[offset] = UInt8(value)
            HeapPacket.with(bad) { #expect(NeighborSolicitation($0) == nil, "byte \(offset)") }
        }
    }

    @Test func multicastAddressesOfSolicitations() throws {
        let address = try #require(IPAddress("2001:db8::12:3456:789a"))
        #expect(address.solicitedNode.description == "ff02::1:ff56:789a")
        #expect(MACAddress(multicastV6: address.solicitedNode).description == "33:33:ff:56:78:9a")
        #expect(IPAddress.allNodesV6.description == "ff02::1")
        #expect(MACAddress(multicastV6: .allNodesV6).description == "33:33:00:00:00:01")
    }
}
