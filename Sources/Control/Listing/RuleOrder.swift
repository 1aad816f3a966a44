import Balancer
import Wire

/// The order of services and destinations in a listing: ipvsadm's, which compares by the sign of 32-bit differences
/// that may wrap (203.0.113.80 comes before 10.0.2.1) and so is no proper order: the way of sorting matters too.
enum RuleOrder {
    /// Services by mark, family, protocol, address, port.
    static func sorted(_ services: [ServiceStatus]) -> [ServiceStatus] {
        mergeSorted(services.map { (words(of: $0.service.key), $0) }).map(\.1)
    }

    /// Destinations by address, port.
    static func sorted(_ destinations: [DestinationStatus]) -> [DestinationStatus] {
        mergeSorted(destinations.map { (words(of: $0.destination.key), $0) }).map(\.1)
    }

    /// A sort key: compared word for word, the first difference decides.
    typealias Words = InlineArray<8, UInt32>

    private static func words(of key: ServiceKey) -> Words {
        switch key {
        case .mark(let mark, let family): [mark, linuxNumber(family), 0, 0, 0, 0, 0, 0]
        case .address(let transportProtocol, let address, let port):
            words(address, port, first: 0, linuxNumber(address.family), UInt32(transportProtocol))
        }
    }

    private static func words(of key: DestinationKey) -> Words {
        words(key.address, key.port, first: 0, 0, 0)
    }

    private static func words(
        _ address: IPAddress, _ port: UInt16, first: UInt32, _ second: UInt32, _ third: UInt32
    ) -> Words {
        guard !address.isV4 else { return [first, second, third, address.v4, 0, 0, 0, UInt32(port)] }
        return [
            first, second, third, UInt32(truncatingIfNeeded: address.high >> 32),
            UInt32(truncatingIfNeeded: address.high), UInt32(truncatingIfNeeded: address.low >> 32),
            UInt32(truncatingIfNeeded: address.low), UInt32(port),
        ]
    }

    /// `AF_INET` and `AF_INET6`.
    private static func linuxNumber(_ family: AddressFamily) -> UInt32 { family == .v4 ? 2 : 10 }

    /// Whether `left` may stay in front of `right`.
    static func precedes(_ left: Words, _ right: Words) -> Bool {
        for index in left.indices where left[index] != right[index] {
            return Int32(bitPattern: left[index] &- right[index]) <= 0
        }
        return true
    }

    /// A top-down merge sort that splits at half the count, as the C library's `qsort` does where memory allows.
    private static func mergeSorted<Value>(_ items: [(Words, Value)]) -> [(Words, Value)] {
        guard items.count > 1 else { return items }
        let middle = items.count / 2
        let front = mergeSorted(Array(items[..<middle]))
        let back = mergeSorted(Array(items[middle...]))
        var merged: [(Words, Value)] = []
        merged.reserveCapacity(items.count)
        var (first, second) = (0, 0)
        while first < front.count, second < back.count {
            if precedes(front[first].0, back[second].0) {
                merged.append(front[first])
                first += 1
            } else {
                merged.append(back[second])
                second += 1
            }
        }
        return merged + front[first...] + back[second...]
    }
}
