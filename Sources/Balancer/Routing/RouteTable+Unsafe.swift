public import Wire

/// A family's ranges in raw memory: what `FlatRanges` says, searched by the packet path.
///
/// An index over the leading bits narrows a binary search down to a few steps: a table of a hundred thousand routes is
/// found in about as many cache misses as a trie of three levels would take, a small one lies in a few lines.
@safe @usableFromInline
struct PrefixRanges<Key: FixedWidthInteger & UnsignedInteger & BitwiseCopyable> {
    @usableFromInline let starts: UnsafeMutablePointer<Key>
    @usableFromInline let records: UnsafeMutablePointer<UInt32>
    @usableFromInline let index: UnsafeMutablePointer<UInt32>
    @usableFromInline let shift: Key

    /// Copy `ranges` to memory of its own; `deallocate` gives it back.
    init(_ ranges: FlatRanges<Key>) {
        unsafe starts = copyToMemory(ranges.starts)
        unsafe records = copyToMemory(ranges.records)
        unsafe index = copyToMemory(ranges.index)
        shift = Key(Key.bitWidth - ranges.indexBits)
    }

    /// The record of the range that `key` lies in.
    @inlinable @inline(__always)
    func record(_ key: Key) -> UInt32 {
        let slot = Int(truncatingIfNeeded: key &>> shift)
        var base = unsafe Int(truncatingIfNeeded: index[slot])
        var count = unsafe Int(truncatingIfNeeded: index[slot &+ 1]) &- base &+ 1
        while count > 1 {
            let half = count &>> 1
            base = unsafe starts[base &+ half] <= key ? base &+ half : base
            count &-= half
        }
        return unsafe records[base]
    }

    /// Give the memory back.
    func deallocate() {
        unsafe starts.deallocate()
        unsafe records.deallocate()
        unsafe index.deallocate()
    }
}

/// What the prefixes of a route table lead to, 56 bytes.
@usableFromInline
struct RouteRecord: Hashable, Sendable, BitwiseCopyable {
    /// Unspecified when the destination is on the link.
    @usableFromInline let gateway: IPAddress
    /// Unspecified when there is none.
    @usableFromInline let source: IPAddress
    @usableFromInline let mtu: Int
    @usableFromInline let interface: Int32
    @usableFromInline let kind: RouteKind
    @usableFromInline let hasGateway: Bool

    /// By pattern: `==` of an enum with raw values is generic, which `@_noLocks` refuses.
    @inlinable @inline(__always)
    var isLocal: Bool { if case .local = kind { true } else { false } }

    init(kind: RouteKind, interface: Int, gateway: IPAddress?, source: IPAddress?, mtu: Int) {
        self.kind = kind
        self.interface = Int32(truncatingIfNeeded: interface)
        self.gateway = gateway ?? IPAddress(high: 0, low: 0)
        self.source = source ?? IPAddress(high: 0, low: 0)
        self.mtu = mtu
        hasGateway = gateway != nil
    }
}

extension IPAddress {
    /// The address as a number, the IPv6 table's key.
    @inlinable @inline(__always)
    var key: UInt128 { UInt128(truncatingIfNeeded: high) &<< 64 | UInt128(truncatingIfNeeded: low) }
}

/// Routes of both families by longest prefix, immutable, in raw memory.
///
/// Built on the control side; the packet path reads it through `view`, which is valid as long as the table lives.
@safe
public final class RouteTable: @unchecked Sendable {
    /// What the packet path reads.
    public let view: RouteTableView

    init(_ plan: RoutePlan) {
        let v4 = PrefixRanges(FlatRanges(plan.v4, missing: 0))
        let v6 = PrefixRanges(FlatRanges(plan.v6, missing: 0))
        view = unsafe RouteTableView(v4: v4, v6: v6, records: copyToMemory(plan.records), local: plan.local)
    }

    deinit {
        view.v4.deallocate()
        view.v6.deallocate()
        unsafe view.records.deallocate()
    }
}

/// A route table as the packet path reads it. Any thread; valid while its `RouteTable` lives.
@safe
public struct RouteTableView: @unchecked Sendable {
    @usableFromInline let v4: PrefixRanges<UInt32>
    @usableFromInline let v6: PrefixRanges<UInt128>
    @usableFromInline let records: UnsafeMutablePointer<RouteRecord>
    @usableFromInline let local: LocalFilter

    init(
        v4: PrefixRanges<UInt32>, v6: PrefixRanges<UInt128>, records: UnsafeMutablePointer<RouteRecord>,
        local: LocalFilter
    ) {
        self.v4 = v4
        self.v6 = v6
        self.local = local
        unsafe self.records = unsafe records
    }

    /// Where packets for `address` go.
    @inlinable @inline(__always) @_noAllocation @_noLocks
    public func lookup(_ address: IPAddress) -> RouteResult {
        let number = address.isV4 ? v4.record(address.v4) : v6.record(address.key)
        let record = unsafe records[Int(truncatingIfNeeded: number)]
        // A local route without a source of its own: packets from the host to itself carry the address they go to
        // (net/ipv4/route.c, ip_route_output_key_hash_rcu).
        let isSelf = record.isLocal && record.source.high == 0 && record.source.low == 0
        return RouteResult(
            kind: record.kind, nextHop: record.hasGateway ? record.gateway : address, hasGateway: record.hasGateway,
            interface: Int(truncatingIfNeeded: record.interface), source: isSelf ? address : record.source,
            mtu: record.mtu)
    }

    /// As `RoutingView.plainRoute`.
    @inlinable @inline(__always)
    func plainLookup(_ address: UInt32) -> PlainRoute? {
        let record = unsafe records + Int(truncatingIfNeeded: v4.record(address))
        guard unsafe record.pointee.interface >= 0, case .unicast = unsafe record.pointee.kind else { return nil }
        let gateway = unsafe record.pointee.hasGateway ? record.pointee.gateway : IPAddress(v4: address)
        guard gateway.isV4 else { return nil }
        return unsafe PlainRoute(
            nextHop: gateway.v4, interface: Int(truncatingIfNeeded: record.pointee.interface), mtu: record.pointee.mtu)
    }

    /// As `isLocal`, of an IPv4 address.
    @inlinable @inline(__always)
    func isPlainLocal(_ address: UInt32) -> Bool {
        guard local.mayContain(address) else { return false }
        return unsafe records[Int(truncatingIfNeeded: v4.record(address))].isLocal
    }

    /// Whether `address` is one of the host's own.
    @inlinable @inline(__always) @_noAllocation @_noLocks
    public func isLocal(_ address: IPAddress) -> Bool {
        if address.isV4, !local.mayContain(address.v4) { return false }
        let number = address.isV4 ? v4.record(address.v4) : v6.record(address.key)
        return unsafe records[Int(truncatingIfNeeded: number)].isLocal
    }
}
