import Balancer
import TestSupport
import Testing
import Wire

@Suite("Tunneling")
struct TunnelingTests {
    private static let v4 = PacketBuilder.tcp(
        from: "198.51.100.1:40000", to: "203.0.113.80:80", .syn, payload: [1, 2, 3])
    private static let v6 = PacketBuilder.udp(from: "[2001:db8::1]:9", to: "[2001:db8:80::80]:53", payload: [5])

    /// `packet` wrapped.
    private func wrap(
        _ packet: [UInt8], _ options: TunnelOptions, toV4: Bool, copies: Bool = true, remote: RemoteChecksum? = nil
    ) throws -> [UInt8] {
        let source = try #require(IPAddress(toV4 ? "10.0.2.1" : "2001:db8:2::1"))
        let destination = try #require(IPAddress(toV4 ? "10.0.9.13" : "2001:db8:9::13"))
        let overhead = Tunneling.overhead(options, isOuterV4: toV4, isRemote: remote != nil)
        let heap = HeapPacket([UInt8](repeating: 0xee, count: overhead) + packet)
        Tunneling.write(
            heap.bytes,
            TunnelHeader(
                options: options, source: source, destination: destination, sourcePort: 40_404, identification: 77,
                copiesDontFragment: copies), remote: remote)
        #expect(heap.isIntactAround)
        #expect(Array(heap.array.dropFirst(overhead)) == packet)
        return heap.array
    }

    private func problems(_ packet: [UInt8], _ check: PacketCheck) -> [String] {
        let type = packet[0] >> 4 == 4 ? EtherType.ipv4 : EtherType.ipv6
        return PacketCheck.problems([UInt8](repeating: 0, count: 12) + type.networkBytes + packet, check)
    }

    @Test("IPIP takes TTL, ToS and DF over")
    func ipip() throws {
        let packet = Self.v4.setting(\.timeToLive, 9).setting(\.typeOfService, 0xb8).packet()
        let outer = try wrap(packet, TunnelOptions(), toV4: true)
        let summary = try #require(PacketSummary(packet: outer))
        #expect(summary.transportProtocol == IPProtocol.ipip)
        #expect(summary.timeToLive == 9 && summary.typeOfService == 0xb8 && summary.doesNotFragment)
        #expect(summary.packetLength == packet.count + 20 && summary.headerChecksum == .right)
        let without = try wrap(packet, TunnelOptions(), toV4: true, copies: false)
        #expect(PacketSummary(packet: without)?.doesNotFragment == false)
        #expect(PacketSummary(packet: without)?.identification == 77)
    }

    @Test("the outer ECN bits are the inner ones, but ECT(0) for CE", arguments: [(0, 0), (1, 1), (2, 2), (3, 2)])
    func congestion(inner: UInt8, outer: UInt8) throws {
        let wrapped = try wrap(Self.v4.setting(\.typeOfService, 0x20 | inner).packet(), TunnelOptions(), toV4: true)
        #expect(PacketSummary(packet: wrapped)?.typeOfService == 0x20 | outer)
        let six = try wrap(Self.v6.setting(\.typeOfService, 0x20 | inner).packet(), TunnelOptions(), toV4: false)
        #expect(PacketSummary(packet: six)?.typeOfService == 0x20 | outer)
    }

    @Test("families mix", arguments: [true, false], [true, false])
    func families(isInnerV4: Bool, isOuterV4: Bool) throws {
        let packet = (isInnerV4 ? Self.v4 : Self.v6).packet()
        let outer = try wrap(packet, TunnelOptions(), toV4: isOuterV4)
        let summary = try #require(PacketSummary(packet: outer))
        #expect(summary.transportProtocol == (isInnerV4 ? IPProtocol.ipip : IPProtocol.ipv6))
        #expect(summary.source.address.isV4 == isOuterV4)
        #expect(summary.payload == packet)
        #expect(summary.doesNotFragment == (isInnerV4 && isOuterV4))
    }

    @Test(
        "GUE with and without checksum", arguments: [TunnelChecksum.none, .full, .remote], [true, false])
    func gue(checksum: TunnelChecksum, isOuterV4: Bool) throws {
        let options = TunnelOptions(kind: .gue, port: 6080, checksum: checksum)
        let outer = try wrap(Self.v4.packet(), options, toV4: isOuterV4)
        let summary = try #require(PacketSummary(packet: outer))
        #expect(summary.source.port == 40_404 && summary.destination.port == 6080)
        #expect(summary.transportChecksum == (checksum == .none ? .absent : .right))
        #expect(Array(summary.payload.prefix(4)) == [0, 4, 0, 0])
        #expect(Array(summary.payload.dropFirst(4)) == Self.v4.packet())
    }

    @Test("remote checksum offload says where the partial checksum lies")
    func remote() throws {
        let packet = Self.v4.setting(\.transportChecksum, .partial).packet()
        let options = TunnelOptions(kind: .gue, port: 6080, checksum: .remote)
        let outer = try wrap(packet, options, toV4: true, remote: RemoteChecksum(start: 20, field: 36))
        let summary = try #require(PacketSummary(packet: outer))
        #expect(summary.transportChecksum == .right)
        #expect(Array(summary.payload.prefix(12)) == [2, 4, 0, 1, 0x80, 0, 0, 0, 0, 20, 0, 36])
    }

    @Test("GRE with and without checksum")
    func gre() throws {
        let bare = try wrap(Self.v4.packet(), TunnelOptions(kind: .gre), toV4: true)
        #expect(PacketSummary(packet: bare)?.transportProtocol == IPProtocol.gre)
        #expect(Array(bare[20..<24]) == [0, 0, 8, 0])
        let six = try wrap(Self.v6.packet(), TunnelOptions(kind: .gre), toV4: true)
        #expect(Array(six[20..<24]) == [0, 0, 0x86, 0xdd])
        let summed = try wrap(Self.v4.packet(), TunnelOptions(kind: .gre, checksum: .full), toV4: true)
        #expect(Array(summed[20..<24]) == [0x80, 0, 8, 0] && Array(summed[26..<28]) == [0, 0])
        #expect(ReferenceChecksum.internet(Array(summed[20...])) == 0)
    }

    @Test(
        "a quoted tunnel packet shows the packet inside",
        arguments: [
            TunnelOptions(), TunnelOptions(kind: .gue, port: 6080, checksum: .full), TunnelOptions(kind: .gre),
            TunnelOptions(kind: .gre, checksum: .full),
        ], [true, false])
    func contents(options: TunnelOptions, isOuterV4: Bool) throws {
        for inner in [Self.v4, Self.v6] {
            let outer = try wrap(inner.packet(), options, toV4: isOuterV4)
            let heap = HeapPacket(outer)
            let quoted = try #require(QuotedPacket(heap.bytes, at: 0, isV4: isOuterV4))
            let contents = try #require(Tunneling.contents(of: quoted, heap.bytes))
            #expect(contents.kind == options.kind)
            #expect(contents.overhead == Tunneling.overhead(options, isOuterV4: isOuterV4, isRemote: false))
            #expect(contents.packet.key.source == inner.source.address)
            #expect(contents.packet.key.sourcePort == inner.source.port)
            #expect(contents.packet.key.destinationPort == inner.destination.port)
            // Cut before the inner ports: nothing to go by.
            let short = HeapPacket(Array(outer.prefix(contents.overhead + 22)))
            let cut = try #require(QuotedPacket(short.bytes, at: 0, isV4: isOuterV4))
            #expect(Tunneling.contents(of: cut, short.bytes) == nil)
        }
    }

    @Test("an ordinary UDP packet is no tunnel's")
    func plain() throws {
        let heap = HeapPacket(PacketBuilder.udp(from: "10.0.0.1:1", to: "10.0.0.2:2", payload: [1, 2, 3, 4]).packet())
        let quoted = try #require(QuotedPacket(heap.bytes, at: 0, isV4: true))
        #expect(Tunneling.contents(of: quoted, heap.bytes) == nil)
    }

    @Test("source ports of GUE spread over the kernel's range", arguments: 0..<20 as Range<UInt64>)
    func ports(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<100 {
            let port = Tunneling.sourcePort(hash: random.next())
            #expect((32768...60999).contains(port), "seed \(seed)")
        }
        #expect(Tunneling.sourcePort(hash: 0) == 32768)
        #expect(Tunneling.sourcePort(hash: .max) == 60999)
    }

    @Test("errors about the outer packet in the client's family")
    func relayed() throws {
        let big = try #require(ICMPError.relayed(type: 3, code: 4, rest: 1400, isV4: true, mtu: 1380))
        #expect((big.type, big.code, big.typeV6, big.codeV6) == (3, 4, 2, 0))
        #expect(big.rest == 1380)
        let far = try #require(ICMPError.relayed(type: 1, code: 0, rest: 0, isV4: false, mtu: 0))
        #expect((far.type, far.code, far.typeV6, far.codeV6) == (3, 1, 1, 0))
        let late = try #require(ICMPError.relayed(type: 11, code: 0, rest: 0, isV4: true, mtu: 0))
        #expect((late.type, late.code, late.typeV6, late.codeV6) == (11, 0, 3, 0))
        #expect(ICMPError.relayed(type: 5, code: 1, rest: 0, isV4: true, mtu: 0) == nil)
    }
}
