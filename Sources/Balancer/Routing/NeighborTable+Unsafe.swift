public import Wire

/// A slot of the neighbour table, 32 bytes; empty while its state is `missing`.
@usableFromInline
struct NeighborRecord: BitwiseCopyable {
    @usableFromInline let address: IPAddress
    @usableFromInline let mac: MACAddress
    @usableFromInline let interface: Int32
    @usableFromInline let state: NeighborState

    init(address: IPAddress, mac: MACAddress, interface: Int32, state: NeighborState) {
        self.address = address
        self.mac = mac
        self.interface = interface
        self.state = state
    }
}

/// Neighbours by interface and address, immutable, in raw memory: an open-addressing hash at most half full.
///
/// Built on the control side; the packet path reads it through `view`, which is valid as long as the table lives.
@safe
public final class NeighborTable: @unchecked Sendable {
    /// What the packet path reads.
    public let view: NeighborTableView
    /// How many neighbours it holds.
    public let count: Int

    /// Build the table. Of neighbours with one interface and address the last one counts.
    public init(_ neighbors: [Neighbor]) {
        var capacity = 8
        while capacity < neighbors.count * 2 { capacity *= 2 }
        let empty = NeighborRecord(address: .anyV6, mac: .zero, interface: -1, state: .missing)
        var records = [NeighborRecord](repeating: empty, count: capacity)
        var count = 0
        for neighbor in neighbors where neighbor.state != .missing {
            let interface = Int32(truncatingIfNeeded: neighbor.interface)
            var place = NeighborTableView.hash(interface, neighbor.address) & (capacity - 1)
            while records[place].state != .missing {
                if records[place].interface == interface, records[place].address == neighbor.address { break }
                place = (place + 1) & (capacity - 1)
            }
            if records[place].state == .missing { count += 1 }
            records[place] = NeighborRecord(
                address: neighbor.address, mac: neighbor.state.isUsable ? neighbor.mac : .zero, interface: interface,
                state: neighbor.state)
        }
        self.count = count
        view = unsafe NeighborTableView(records: copyToMemory(records), mask: capacity - 1)
    }

    deinit { unsafe view.records.deallocate() }
}

/// A neighbour table as the packet path reads it. Any thread; valid while its `NeighborTable` lives.
@safe
public struct NeighborTableView: @unchecked Sendable {
    @usableFromInline let records: UnsafeMutablePointer<NeighborRecord>
    @usableFromInline let mask: Int

    init(records: UnsafeMutablePointer<NeighborRecord>, mask: Int) {
        unsafe self.records = unsafe records
        self.mask = mask
    }

    /// A number that spreads interface and address over the table: multiply and fold, as in wyhash.
    @inlinable @inline(__always)
    static func hash(_ interface: Int32, _ address: IPAddress) -> Int {
        let seeded = address.low ^ 0x9e37_79b9_7f4a_7c15 &* UInt64(truncatingIfNeeded: interface &+ 1)
        let product = seeded.multipliedFullWidth(by: address.high ^ 0xe703_7ed1_a0b4_28db)
        return Int(truncatingIfNeeded: product.high ^ product.low)
    }

    /// What is known of the neighbour `address` on the interface in slot `interface`.
    @inlinable @inline(__always) @_noAllocation @_noLocks
    public func lookup(interface: Int, address: IPAddress) -> NeighborResult {
        let slot = Int32(truncatingIfNeeded: interface)
        var place = Self.hash(slot, address) & mask
        while true {
            let record = unsafe records[place]
            if case .missing = record.state { break }
            if record.address.low == address.low, record.address.high == address.high, record.interface == slot {
                return NeighborResult(mac: record.mac, state: record.state)
            }
            place = (place &+ 1) & mask
        }
        return NeighborResult(mac: MACAddress(bits: 0), state: .missing)
    }
}
