public import Wire

/// Cuts a packet into fragments (RFC 791 §3.2, RFC 8200 §4.5; `net/ipv4/ip_output.c`, `ip_do_fragment`,
/// `net/ipv6/ip6_output.c`, `ip6_fragment`).
public struct Fragmentation {
    private let bytes: PacketBytes
    private let networkOffset: Int
    private let isV4: Bool
    /// Bytes of network header that are repeated, without IPv6's fragment header.
    private let repeatedLength: Int
    /// Offset of the byte that names what follows the repeated headers of IPv6, from the network header.
    private let nextHeaderOffset: Int
    private let identification: UInt32
    /// Whether IPv4's DF bit stays: for datagrams that came in fragments with it.
    public var keepsDontFragment: Bool
    /// Bytes of network header in each fragment, IPv6's fragment header included.
    public let headerLength: Int
    /// Bytes to be cut.
    public let payloadLength: Int

    /// A packet to cut.
    ///
    /// - Parameters:
    ///   - bytes: the frame.
    ///   - identification: of IPv6; IPv4 fragments keep the packet's.
    ///   - keepsDontFragment: whether IPv4's DF bit stays: for datagrams that came in fragments with it.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public init(
        _ bytes: PacketBytes, networkOffset: Int, networkLength: Int, isV4: Bool, identification: UInt32,
        keepsDontFragment: Bool = false
    ) {
        self.bytes = bytes.prefix(networkOffset &+ networkLength)
        self.networkOffset = networkOffset
        self.isV4 = isV4
        self.identification = identification
        self.keepsDontFragment = keepsDontFragment
        if isV4 {
            repeatedLength = IPv4Header(unchecked: bytes.dropping(networkOffset)).headerLength
            nextHeaderOffset = 0
            headerLength = repeatedLength
        } else {
            let header = IPv6Header(unchecked: bytes.prefix(networkOffset &+ networkLength).dropping(networkOffset))
            (repeatedLength, nextHeaderOffset) = header.perFragmentHeaders
            headerLength = repeatedLength &+ IPv6Fragment.length
        }
        payloadLength = networkLength &- repeatedLength
    }

    /// Most payload bytes of a fragment that is `mtu` bytes long at most and not the last; 0 or less: none fits.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func step(mtu: Int) -> Int { (mtu &- headerLength) & ~7 }

    /// Length of the frame of a fragment with `length` bytes of payload.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func frameLength(_ length: Int) -> Int { networkOffset &+ headerLength &+ length }

    /// Write the frame of the fragment with `length` bytes from `offset` of the payload.
    /// - Parameter output: room for `frameLength(length)` bytes.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func write(offset: Int, length: Int, to output: PacketBytes) {
        let isLast = offset &+ length == payloadLength
        output.copy(from: bytes.prefix(networkOffset &+ repeatedLength))
        output.copy(
            from: bytes.dropping(networkOffset &+ repeatedLength &+ offset).prefix(length),
            to: networkOffset &+ headerLength)
        let network = output.dropping(networkOffset)
        if isV4 {
            writeV4(IPv4Header(unchecked: network), offset: offset, length: length, isLast: isLast)
            return
        }
        let header = IPv6Header(unchecked: network)
        header.payloadLength = headerLength &+ length &- IPv6Header.length
        let next = network[nextHeaderOffset]
        network[nextHeaderOffset] = IPProtocol.fragment
        IPv6Fragment(unchecked: network.dropping(repeatedLength)).emit(
            nextHeader: next, fragmentOffset: offset, hasMoreFragments: !isLast, identification: identification)
    }

    /// What is cut may be a fragment itself: its offset is counted on, its more-fragments bit goes to the last piece.
    private func writeV4(_ header: IPv4Header, offset: Int, length: Int, isLast: Bool) {
        let word = header.fragmentWord
        let more = isLast ? word & IPv4Header.moreFragments : IPv4Header.moreFragments
        let whole = keepsDontFragment ? word & IPv4Header.dontFragment : 0
        let place = (word & IPv4Header.offsetMask) &+ UInt16(truncatingIfNeeded: offset / 8)
        header.setTotalLength(headerLength &+ length)
        header.setFragmentWord(whole | more | place)
        if offset > 0, headerLength > IPv4Header.minimumLength { blankOptions(header) }
    }

    /// Options without the copied flag are in the first fragment only (RFC 791 §3.1); the others have no operation there,
    /// as `ip_options_fragment` has it.
    private func blankOptions(_ header: IPv4Header) {
        let options = header.bytes.prefix(headerLength)
        var offset = IPv4Header.minimumLength
        while offset < headerLength, options[offset] != 0 {
            let length = options[offset] == 1 || offset &+ 1 == headerLength ? 1 : max(2, Int(options[offset &+ 1]))
            let end = min(headerLength, offset &+ length)
            if options[offset] & 0x80 == 0 {
                for place in offset..<end { options[place] = 1 }
            }
            offset = end
        }
        header.fillChecksum()
    }
}

extension IPv6Header {
    /// Length of the headers that every fragment repeats, and the offset of the byte that names what follows them
    /// (`net/ipv6/output_core.c`, `ip6_find_1stfragopt`): hop-by-hop options, routing, and destination options before it.
    var perFragmentHeaders: (length: Int, nextHeaderOffset: Int) {
        let packet = bytes.prefix(totalLength)
        var next = nextHeader
        var length = Self.length
        var nextHeaderOffset = 6
        var hasRouting = false
        while next == IPProtocol.hopByHop || next == IPProtocol.routing
            || next == IPProtocol.destinationOptions && !hasRouting
        {
            guard length &+ 2 <= packet.count else { break }
            let size = (Int(packet[length &+ 1]) &+ 1) &* 8
            guard length &+ size <= packet.count else { break }
            if next == IPProtocol.routing { hasRouting = true }
            next = packet[length]
            nextHeaderOffset = length
            length &+= size
        }
        return (length, nextHeaderOffset)
    }
}
