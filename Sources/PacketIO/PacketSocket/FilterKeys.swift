import Balancer
import Wire

/// What is looked up beside an address, in one 32-bit word: protocol and port, or a value that no packet's protocol and
/// port can be, for packets that are matched by address.
enum FilterKey {
    /// A packet that only an address of which every packet is wanted matches.
    static let other: UInt32 = 0
    /// A packet without ports of its own: a fragment, ICMP.
    static let address: UInt32 = 0xffff_fffc
    /// An ARP request or neighbour solicitation.
    static let resolution: UInt32 = 0xffff_fffd
    /// An address quoted by an ICMP error.
    static let quoted: UInt32 = 0xffff_fffe

    /// The key of a port.
    static func port(_ transportProtocol: UInt8, _ port: UInt16) -> UInt32 {
        UInt32(transportProtocol) << 16 | UInt32(port)
    }
}

/// A set of keys as sorted ranges that lie apart.
struct FilterKeySet: Hashable {
    /// The ranges; their targets mean nothing.
    var ranges: [FilterRange<Bool>] = []

    /// Of any ranges.
    init(_ ranges: [ClosedRange<UInt32>] = []) {
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = self.ranges.last, range.lowerBound == 0 || range.lowerBound - 1 <= last.last {
                self.ranges[self.ranges.count - 1].last = max(last.last, range.upperBound)
            } else {
                self.ranges.append(FilterRange(first: range.lowerBound, last: range.upperBound, target: true))
            }
        }
    }

    /// All keys of some sets, in at most `limit` ranges.
    init(unionOf sets: some Sequence<FilterKeySet>, limit: Int) {
        self.init(sets.flatMap { $0.ranges.map { $0.first...$0.last } })
        ranges = ranges.widened(to: limit)
    }
}

/// What is wanted of each address, in one direction and for both families.
struct FilterTable {
    /// The keys of each address.
    private(set) var keys: [IPAddress: FilterKeySet] = [:]

    /// What is wanted by destination.
    static func destinations(_ traffic: OwnedTraffic) -> FilterTable {
        var ranges = endpoints(traffic.virtual)
        for address in traffic.besideHost {
            for number in [IPProtocol.tcp, IPProtocol.udp, IPProtocol.sctp] {
                let first = FilterKey.port(number, LocalPortRing.firstPortBesideHost)
                ranges[address, default: []].append(first...FilterKey.port(number, LocalPortRing.lastPort))
            }
            ranges[address, default: []].append(FilterKey.address...FilterKey.address)
        }
        for address in traffic.addresses { ranges[address, default: []].append(0...FilterKey.address) }
        for address in traffic.arpFor + traffic.ndFor {
            ranges[address, default: []].append(FilterKey.resolution...FilterKey.resolution)
        }
        return FilterTable(keys: ranges.mapValues { FilterKeySet($0) })
    }

    /// What is wanted by source, and by the destination of the packet that an ICMP error quotes.
    static func sources(_ traffic: OwnedTraffic) -> FilterTable {
        var ranges = endpoints(traffic.servers)
        for address in traffic.errorsAbout + ranges.keys {
            ranges[address, default: []].append(FilterKey.quoted...FilterKey.quoted)
        }
        return FilterTable(keys: ranges.mapValues { FilterKeySet($0) })
    }

    private static func endpoints(_ endpoints: [OwnedTraffic.Endpoint]) -> [IPAddress: [ClosedRange<UInt32>]] {
        var ranges: [IPAddress: [ClosedRange<UInt32>]] = [:]
        for endpoint in endpoints {
            let number = endpoint.transportProtocol
            guard number == IPProtocol.tcp || number == IPProtocol.udp || number == IPProtocol.sctp else { continue }
            let last = endpoint.port == 0 ? UInt16.max : endpoint.port
            ranges[endpoint.address, default: []] += [
                FilterKey.port(number, endpoint.port)...FilterKey.port(number, last),
                FilterKey.address...FilterKey.address,
            ]
        }
        return ranges
    }

    /// Runs of neighbouring addresses.
    var addressRuns: Int {
        var last: IPAddress?
        return keys.keys.sorted().reduce(0) { count, address in
            defer { last = address }
            guard let last, last.isV4 == address.isV4, last.high == address.high, last.low &+ 1 == address.low else {
                return count + 1
            }
            return count
        }
    }

    /// The table with one set of keys for all addresses, in at most `limit` ranges.
    func sharingKeys(limit: Int) -> FilterTable {
        let union = FilterKeySet(unionOf: Set(keys.values), limit: limit)
        return FilterTable(keys: keys.mapValues { _ in union })
    }
}
