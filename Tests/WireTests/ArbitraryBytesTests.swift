import TestSupport
import Testing
import Wire

/// Whatever bytes come, no view traps and nothing is written outside the packet. In a debug build every access is checked
/// against the window, so that a wrong one ends the test run.
@Suite struct ArbitraryBytesTests {
    @Test func noViewTrapsOnRandomBytes() {
        var random = SeededRandom(seed: 0xf022)
        for round in 0..<20_000 {
            visitAll(random.bytes(Int.random(in: 0...160, using: &random)), "seed \(random.seed), round \(round)")
        }
    }

    @Test func noViewTrapsOnDamagedPackets() {
        var random = SeededRandom(seed: 0xda3a)
        let corpus = Self.corpus
        for round in 0..<20_000 {
            var packet = random.pick(corpus)
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let offset = Int.random(in: packet.indices, using: &random)
                packet[offset] = random.pick([0, 1, 0x7f, 0x80, 0xff, UInt8(random.next() >> 56)])
            }
            packet = Array(packet.prefix(Int.random(in: 0...packet.count, using: &random)))
            visitAll(packet, "seed \(random.seed), round \(round)")
            visitAll(packet.packet, "seed \(random.seed), round \(round)")
        }
    }

    private static var corpus: [[UInt8]] {
        let (client, virtual): (Endpoint, Endpoint) = ("198.51.100.1:40000", "203.0.113.80:80")
        let (client6, virtual6): (Endpoint, Endpoint) = ("[2001:db8:ffff::1]:40000", "[2001:db8:80::80]:80")
        let request = PacketBuilder.tcp(from: client, to: virtual, .syn)
            .setting(\.transportOptions, [2, 4, 5, 0xb4]).setting(\.options, [7, 7, 4, 0, 0, 0, 0, 0])
        let solicitation = hexadecimal("20010db8008000000000000000000080 0101 0200000001fe")
        return [
            KernelFrames.tcpRequest, KernelFrames.udpForwarded, KernelFrames.portUnreachable,
            KernelFrames.portUnreachableV6, KernelFrames.sctpForwarded, KernelFrames.tcpForwardedV6,
            KernelFrames.fragmentV6, KernelFrames.tunneled, request.frame(),
            hexadecimal("ffffffffffff 0200000001fe 0806") + ARPTests.request,
            PacketBuilder.udp(from: client6, to: virtual6, payload: [1, 2, 3]).setting(
                \.extensionHeaders,
                [
                    (IPProtocol.hopByHop, [0, 0, 1, 4, 0, 0, 0, 0]), (IPProtocol.fragment, [0, 0, 0, 0, 0, 0, 0, 1]),
                    (IPProtocol.authentication, [UInt8](repeating: 0, count: 8)),
                ]
            ).frame(),
            PacketBuilder.icmp(from: client6, to: virtual6, type: 135, code: 0, payload: solicitation).frame(),
            PacketBuilder.icmp(from: client6, to: virtual6, type: 136, code: 0, payload: solicitation).frame(),
        ]
    }

    private func visitAll(_ packet: [UInt8], _ comment: Comment) {
        let heap = HeapPacket(packet, headroom: 16, tailroom: 16)
        read(heap.bytes)
        #expect(heap.array == packet, "reading changed it: \(comment)")
        write(heap.bytes)
        #expect(heap.array.count == packet.count && heap.isIntactAround, "wrote outside: \(comment)")
    }

    /// Read every field of every view that the bytes admit.
    private func read(_ bytes: PacketBytes) {
        if let header = EthernetHeader(bytes) { _ = (header.destination, header.source, header.type, header.payload) }
        if let packet = ARPPacket(bytes) {
            _ = (packet.operation, packet.senderMAC, packet.senderAddress, packet.targetMAC, packet.targetAddress)
        }
        for header in [IPv4Header(bytes), IPv4Header(quoted: bytes)].compactMap({ $0 }) {
            _ = (header.typeOfService, header.identification, header.fragmentOffset, header.isFragment)
            _ = (header.timeToLive, header.transportProtocol, header.source, header.destination)
            _ = (header.hasValidChecksum, header.header.array(), header.payload.array())
            readTransport(header.payload)
        }
        for header in [IPv6Header(bytes), IPv6Header(quoted: bytes)].compactMap({ $0 }) {
            _ = (header.trafficClass, header.flowLabel, header.nextHeader, header.hopLimit)
            _ = (header.source, header.destination, header.carriesMappedAddress, header.payload.array())
            guard let found = header.findTransport() else { continue }
            let packet = bytes.prefix(header.totalLength)
            if let offset = found.fragmentHeaderOffset { _ = IPv6Fragment(packet.dropping(offset))?.fragmentOffset }
            readTransport(packet.dropping(found.offset))
        }
        readTransport(bytes)
    }

    private func readTransport(_ bytes: PacketBytes) {
        if let header = TCPHeader(bytes) {
            _ = (header.sourcePort, header.destinationPort, header.sequence, header.acknowledgement, header.flags)
            _ = (header.window, header.urgentPointer, header.options.array(), header.payload.array())
        }
        if let header = UDPHeader(bytes) {
            _ = (header.sourcePort, header.destinationPort, header.datagramLength, header.hasChecksum)
            _ = header.payload.array()
        }
        if let header = SCTPHeader(bytes) {
            _ = (header.sourcePort, header.destinationPort, header.verificationTag, header.firstChunkType)
            _ = (header.hasValidChecksum, header.payload.array())
        }
        if let header = ICMPHeader(bytes) {
            _ = (header.type, header.code, header.rest, header.nextHopMTU, header.identifier, header.sequence)
            _ = (header.isError, header.hasValidChecksum, header.quoted.array())
            _ = IPv4Header(quoted: header.quoted)?.payload.array()
        }
        if let header = ICMPv6Header(bytes) {
            _ = (header.mtu, header.isError, header.hasValidChecksum(source: .anyV6, destination: .allNodesV6))
            _ = IPv6Header(quoted: header.quoted)?.findTransport()
        }
        if let message = NeighborSolicitation(bytes) { _ = (message.target, message.sourceMAC) }
        if let message = NeighborAdvertisement(bytes) { _ = (message.flags, message.target, message.targetMAC) }
        _ = (NeighborOption.areWellFormed(bytes), NeighborOption.linkLayerAddress(1, in: bytes))
        if let header = IPv6Fragment(bytes) { _ = (header.nextHeader, header.isAtomic, header.identification) }
    }

    /// Rewrite as a forwarding method would.
    private func write(_ bytes: PacketBytes) {
        if let header = IPv4Header(bytes) {
            header.decrementTimeToLive()
            let difference = header.setDestination(header.source)
            writeTransport(header.payload, difference)
            header.setTotalLength(header.headerLength)
            header.fillChecksum()
        }
        if let header = IPv6Header(bytes) {
            header.decrementHopLimit()
            let difference = header.setSource(header.destination)
            guard let found = header.findTransport() else { return }
            writeTransport(bytes.prefix(header.totalLength).dropping(found.offset), difference)
        }
    }

    private func writeTransport(_ bytes: PacketBytes, _ difference: UInt64) {
        if TCPHeader(bytes) != nil {
            TransportChecksum.adjust(
                bytes, at: TCPHeader.checksumOffset, state: .complete, addresses: difference, fields: 7)
        }
        if let header = UDPHeader(bytes) {
            header.normalizeChecksum()
            TransportChecksum.complete(bytes, at: UDPHeader.checksumOffset, isUDP: true)
        }
        SCTPHeader(bytes)?.fillChecksum()
        ICMPHeader(bytes)?.fillChecksum()
        ICMPv6Header(bytes)?.fillChecksum(source: .anyV6, destination: .allNodesV6)
    }
}
