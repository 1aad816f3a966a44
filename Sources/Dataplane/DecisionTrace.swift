public import Balancer
public import Wire

/// What the director noted of one packet: what it was, what was found, what was decided. Facts only; the words are made
/// afterwards. Fixed size, so that noting allocates nothing.
public struct DecisionTrace {
    /// One fact.
    public enum Fact {
        /// The packet, as it was read.
        case received(PacketDescription)
        /// No service has its address, port and protocol, or mark.
        case noService
        /// The service that takes it.
        case service(ServiceRecord)
        /// The scheduler's choice: a place in the service's list, newest first.
        case scheduled(ServiceRecord, Int?, StateSlots)
        /// A persistence template decided.
        case template(ConnectionEntry)
        /// A connection entry was made for it.
        case made(ConnectionEntry)
        /// The entry it belongs to.
        case entry(ConnectionEntry, FlowDirection)
        /// The entry's state before and after.
        case state(StateChange, Transport, ConnectionEntry)
        /// Where it leaves.
        case routed(RouteResult, MACAddress?)
        /// It is a fragment that waits for the others of its datagram.
        case waitsForFragments(PacketDescription)
        /// The last of so many fragments made its datagram whole.
        case assembled(fragments: Int)
        /// The real server is the host itself: its stack was given the packet.
        case handedToHost
        /// It was wrapped for a tunnel; bytes put before it.
        case wrapped(TunnelKind, overhead: Int)
        /// It waits for the next hop's MAC.
        case waits(RouteResult)
        /// It was sent.
        case sent(interface: Int, length: Int)
        /// It was left to the host.
        case pass
        /// It was dropped.
        case drop(DropReason)
    }

    /// Most facts of one packet.
    public static var capacity: Int { 16 }
    private var facts: InlineArray<16, Fact>
    /// Facts noted.
    public private(set) var count = 0

    /// Nothing noted.
    public init() { facts = InlineArray(repeating: .pass) }

    @inline(never)
    mutating func note(_ fact: Fact) {
        guard count < Self.capacity else { return }
        facts[count] = fact
        count += 1
    }

    /// The fact at `place`, in the order they were noted.
    public subscript(place: Int) -> Fact { facts[place] }
}
