import Wire

/// A classic BPF program that decides which frames a packet socket copies up: made from what is owned, replaced at will.
///
/// Frames with a VLAN tag and frames for another host's MAC address never pass. Of the rest pass: ARP requests and
/// neighbour solicitations for owned addresses; packets to a virtual service or from a server, by protocol, address and
/// port; everything to an address that is owned whole; fragments and, in IPv6, packets with extension headers or of other
/// protocols, by address alone, since their ports cannot be reached; ICMP to a virtual address; and ICMP errors that quote
/// a packet to a server; packets to, or from, a prefix that a rule marks for a service. A TCP, UDP or SCTP packet too short for its ports passes only to an address owned whole.
///
/// The kernel takes 4,096 instructions. Addresses and ports are found by halving sorted ranges, so 5,000 services on
/// neighbouring addresses, or 3,000 scattered ones, still fit. When they do not, the filter passes more than what is owned,
/// never less: see `Precision`. What passes without being owned costs a copy; the director leaves it to the host.
public struct SocketFilter: Hashable, Sendable {
    /// How closely a filter follows what is owned.
    public enum Precision: Hashable, Sendable {
        /// Exactly.
        case exact
        /// Every owned address is matched with the ports of all of them, in a limited number of ranges.
        case sharedPorts
        /// Also, addresses are matched by ranges that cover them (IPv6: of /64 networks).
        case addressRanges
        /// Also, every address matches.
        case everyAddress
    }

    /// The most instructions that the kernel takes (BPF_MAXINSNS).
    public static let kernelLimit = 4096
    /// A limit that every filter meets.
    public static let smallestLimit = 512
    /// Nothing passes.
    public static let nothing = SocketFilter(
        instructions: [FilterInstruction(code: FilterOperation.end, operand: 0)], precision: .exact)
    /// Everything passes, frames for other hosts included.
    public static let everything = SocketFilter(
        instructions: [FilterInstruction(code: FilterOperation.end, operand: keptBytes)], precision: .everyAddress)

    /// Bytes of a frame that passes: more than it has.
    static let keptBytes: UInt32 = 0x4_0000

    /// The program.
    public let instructions: [FilterInstruction]
    /// How closely it follows what is owned.
    public let precision: Precision

    private init(instructions: [FilterInstruction], precision: Precision) {
        self.instructions = instructions
        self.precision = precision
    }

    /// A filter for `traffic`, as exact as `limit` instructions (at least `smallestLimit`) allow.
    public init(_ traffic: OwnedTraffic, limit: Int = SocketFilter.kernelLimit) {
        let destinations = FilterTable.destinations(traffic)
        let sources = FilterTable.sources(traffic)
        // Where addresses are matched one by one, each run of neighbours takes an instruction at least.
        let runs = destinations.addressRuns + sources.addressRuns
        for step in Step.ladder where !step.matchesEachAddress || runs < limit {
            let instructions = FilterProgram(
                destinations: step.applied(to: destinations), sources: step.applied(to: sources),
                marked: traffic.marked.filter(\.isOurs).map(\.rule), step: step
            ).assembled()
            if instructions.count <= limit {
                self.init(instructions: instructions, precision: step.precision)
                return
            }
        }
        self = .everything
    }

    /// A filter that passes what this one does, and `traffic`: looks for `traffic` first and goes on to this one, so that
    /// it is made in no time however much this one holds. Nil when that takes more than `limit` instructions.
    public func including(_ traffic: OwnedTraffic, limit: Int = SocketFilter.kernelLimit) -> SocketFilter? {
        let more = FilterProgram(
            destinations: FilterTable.destinations(traffic), sources: FilterTable.sources(traffic),
            marked: traffic.marked.filter(\.isOurs).map(\.rule), step: Step(precision: .exact)
        ).assembled()
        // Its last instruction rejects; in its place begins what was there. Jumps are relative, so both stay as they are.
        let both = more.dropLast() + instructions
        return both.count <= limit ? SocketFilter(instructions: Array(both), precision: precision) : nil
    }

    /// One attempt to fit.
    struct Step {
        let precision: Precision
        /// The most ranges of keys, where keys are shared.
        var keyRanges = Int.max
        /// The most ranges of addresses, where addresses are matched by ranges.
        var addressRanges = Int.max

        /// From exact to coarse.
        static let ladder =
            [Step(precision: .exact)]
            + [1024, 256, 64].map { Step(precision: .sharedPorts, keyRanges: $0) }
            + [1024, 256, 64, 16].map { Step(precision: .addressRanges, keyRanges: min($0, 64), addressRanges: $0) }
            + [Step(precision: .everyAddress, keyRanges: 16)]

        var matchesEachAddress: Bool { precision == .exact || precision == .sharedPorts }

        func applied(to table: FilterTable) -> FilterTable {
            precision == .exact ? table : table.sharingKeys(limit: keyRanges)
        }
    }
}
