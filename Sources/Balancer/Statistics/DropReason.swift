/// Why a frame was dropped. The list is closed: each reason is a counter of its own, and a frame is dropped for one.
public enum DropReason: UInt8, CaseIterable, Sendable {
    /// Shorter than its headers say, or headers that contradict each other.
    case truncated
    /// The destination MAC is another host's.
    case notOurMAC
    /// A wrong IPv4 header checksum.
    case badHeaderChecksum
    /// A source that no packet may have: loopback, broadcast, multicast, or an address of the director's own.
    case martianSource
    /// A loose or strict source route.
    case sourceRoute
    /// The destination of the connection was deleted, or its service was.
    case destinationGone
    /// No usable destination: answered with ICMP port unreachable where one may be sent.
    case noDestination
    /// TTL or hop limit used up: answered with ICMP time exceeded where one may be sent.
    case timeToLive
    /// Too big for the way out and not to be fragmented: answered with ICMP fragmentation needed.
    case tooBig
    /// No route, or one that says unreachable or blackhole.
    case noRoute
    /// The next hop did not answer ARP or neighbour solicitation.
    case noNeighbor
    /// Too many packets wait for a neighbour.
    case neighborQueueFull
    /// The connection table is full and held nothing embryonic.
    case tableFull
    /// `drop_packet`, or its service's limit for its source, turned a new connection away.
    case overload
    /// An ICMP error that belongs to a connection but is itself broken.
    case badICMP
    /// A fragment that never found the others.
    case fragmentTimeout
    /// A fragment that contradicts others, or for which there was no room.
    case badFragment
    /// Every output buffer was in use.
    case noBuffer
    /// A stray packet of a server with `nat_icmp_send`: answered with ICMP port unreachable.
    case strayReply
    /// Every local port of the pool is in use (FULLNAT).
    case noLocalPort
    /// A packet that the method cannot carry, e.g. one too long after encapsulation.
    case cannotEncapsulate

    /// The reason as a counter's name, e.g. `bad_header_checksum`.
    public var name: String {
        var text = ""
        var previous: Character?
        for character in String(describing: self) {
            if character.isUppercase, previous?.isUppercase == false { text += "_" }
            text += character.lowercased()
            previous = character
        }
        return text
    }

    /// One sentence for people.
    public var explanation: String {
        switch self {
        case .truncated: "shorter than its headers say"
        case .notOurMAC: "addressed to another host's MAC"
        case .badHeaderChecksum: "wrong IPv4 header checksum"
        case .martianSource: "a source address that no packet may have"
        case .sourceRoute: "carries a source route"
        case .destinationGone: "its real server was deleted"
        case .noDestination: "no usable real server"
        case .timeToLive: "TTL used up"
        case .tooBig: "too big for the way out, and not to be fragmented"
        case .noRoute: "no route"
        case .noNeighbor: "the next hop did not answer"
        case .neighborQueueFull: "too many packets wait for the next hop's MAC"
        case .tableFull: "the connection table is full"
        case .overload: "turned away under overload"
        case .badICMP: "a broken ICMP error"
        case .fragmentTimeout: "the other fragments never came"
        case .badFragment: "a fragment that does not fit the others"
        case .noBuffer: "no output buffer"
        case .strayReply: "a server's packet without a connection"
        case .noLocalPort: "no free local port"
        case .cannotEncapsulate: "does not fit into the tunnel"
        }
    }
}
