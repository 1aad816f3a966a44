import TestSupport
import Testing
import Wire

/// The packet path may neither allocate nor lock. That Wire keeps to it is checked by the compiler: this file does not
/// build when a function that is called here from another module does otherwise.
@Suite struct PacketPathTests {
    @Test(arguments: [
        (KernelFrames.tcpRequest, 1), (KernelFrames.udpForwarded, 2), (KernelFrames.sctpForwarded, 3),
        (KernelFrames.portUnreachable, 4), (KernelFrames.tcpForwardedV6, 1), (KernelFrames.portUnreachableV6, 5),
        (hexadecimal("ffffffffffff 0200000001fe 0806") + ARPTests.request, 6), ([], 0),
    ])
    func annotatedFunctionsMayCallWire(_ row: ([UInt8], Int)) {
        let packet = HeapPacket(row.0)
        var frame = packet.frame()
        #expect(Self.visit(&frame) == row.1)
        #expect(packet.isIntactAround)
    }

    @_noAllocation @_noLocks
    private static func visit(_ frame: inout Frame) -> Int {
        guard let ethernet = EthernetHeader(frame.bytes) else { return 0 }
        ethernet.source = ethernet.destination == .broadcast ? .zero : ethernet.source
        switch ethernet.type {
        case EtherType.ipv4: return visitV4(ethernet.payload, state: frame.offload.checksumState)
        case EtherType.ipv6: return visitV6(ethernet.payload, state: frame.offload.checksumState)
        case EtherType.arp: return visitARP(ethernet.payload)
        default: return 0
        }
    }

    @_noAllocation @_noLocks
    private static func visitARP(_ bytes: PacketBytes) -> Int {
        guard let packet = ARPPacket(bytes), packet.operation == ARPOperation.request else { return 0 }
        packet.emit(
            operation: ARPOperation.reply, senderMAC: packet.targetMAC, senderAddress: packet.targetAddress,
            targetMAC: packet.senderMAC, targetAddress: packet.senderAddress)
        return 6
    }

    @_noAllocation @_noLocks
    private static func visitV4(_ bytes: PacketBytes, state: ChecksumState) -> Int {
        guard let header = IPv4Header(bytes), header.hasValidChecksum, header.source != .anyV4 else { return 0 }
        header.decrementTimeToLive()
        header.setIdentification(NetworkOrder<UInt16>(7).value)
        let difference = header.setDestination(header.destination.masked(24))
        header.setSource(header.source)
        header.fillChecksum()
        return visitTransport(
            header.payload, header.transportProtocol, difference, state, header.source, header.destination)
    }

    @_noAllocation @_noLocks
    private static func visitV6(_ bytes: PacketBytes, state: ChecksumState) -> Int {
        guard let header = IPv6Header(bytes), !header.carriesMappedAddress, let found = header.findTransport(),
            found.fragmentHeaderOffset == nil, !found.startsWithHopByHop
        else { return 0 }
        header.decrementHopLimit()
        header.trafficClass = 1
        header.flowLabel = 2
        let difference = header.setDestination(header.destination.solicitedNode)
        return visitTransport(
            bytes.prefix(header.totalLength).dropping(found.offset), found.transportProtocol, difference, state,
            header.source, header.destination)
    }

    @_noAllocation @_noLocks
    private static func visitTransport(
        _ bytes: PacketBytes, _ transportProtocol: UInt8, _ addresses: UInt64, _ state: ChecksumState,
        _ source: IPAddress, _ destination: IPAddress
    ) -> Int {
        switch transportProtocol {
        case IPProtocol.tcp:
            guard let header = TCPHeader(bytes), header.flags.contains(.syn), header.options.count == 0 else {
                return 0
            }
            let fields = Checksum.difference(from: header.sourcePort, to: 7)
            header.sourcePort = 7
            TransportChecksum.adjust(
                bytes, at: TCPHeader.checksumOffset, state: state, addresses: addresses, fields: fields)
            return header.flags == TCPFlags.syn ? 1 : 0
        case IPProtocol.udp:
            guard let header = UDPHeader(bytes), header.hasChecksum else { return 0 }
            TransportChecksum.fill(
                bytes, at: UDPHeader.checksumOffset, source: source, destination: destination,
                transportProtocol: transportProtocol)
            TransportChecksum.complete(bytes, at: UDPHeader.checksumOffset, isUDP: true)
            header.normalizeChecksum()
            return 2
        case IPProtocol.sctp:
            guard let header = SCTPHeader(bytes), header.firstChunkType != nil else { return 0 }
            header.destinationPort = 9
            header.fillChecksum()
            return header.hasValidChecksum ? 3 : 0
        case IPProtocol.icmp:
            guard let header = ICMPHeader(bytes), header.isError, header.hasValidChecksum,
                let quoted = IPv4Header(quoted: header.quoted)
            else { return 0 }
            header.nextHopMTU = 1400
            header.fillChecksum()
            return quoted.payload.count > 0 ? 4 : 0
        case IPProtocol.icmpv6:
            guard let header = ICMPv6Header(bytes), header.isError, let quoted = IPv6Header(quoted: header.quoted)
            else {
                return 0
            }
            header.fillChecksum(source: source, destination: destination)
            guard NeighborSolicitation(bytes)?.sourceMAC == nil, quoted.payload.count > 0 else { return 0 }
            return header.hasValidChecksum(source: source, destination: destination) ? 5 : 0
        default: return 0
        }
    }
}
