import Balancer
import Wire

/// All there is to know of where packets for an IPv4 address go: route, egress and the next hop's MAC; 32 bytes.
struct CachedHop: BitwiseCopyable {
    /// The address, in host order.
    var address: UInt32 = 0
    /// When it was learnt, by the cache's count of snapshots.
    var generation: UInt32 = 0
    /// Slot of the interface to leave by.
    var interface: Int32 = 0
    /// Largest IP packet in bytes.
    var mtu: Int32 = 0
    /// The Ethernet header's first eight bytes, in host order: the next hop's MAC and two bytes of the egress's.
    var head: UInt64 = 0
    /// The other four bytes of the egress's MAC.
    var tail: UInt32 = 0
}

/// What one worker found of the ways to addresses, so that the next packet for one asks neither routes nor neighbours.
///
/// Direct-mapped, 128 KB, of which only what is used comes near; all of it is forgotten when other routes or neighbours are in force. Only ways that packets can go
/// are remembered: usable unicast routes to a next hop whose MAC is known.
@safe
struct HopCache: ~Copyable {
    private static var bits: UInt32 { 12 }
    private let hops: UnsafeMutablePointer<CachedHop>
    /// The snapshot that what is remembered is of.
    private var serial: UInt64 = 0
    private var generation: UInt32 = 1

    init() {
        unsafe hops = .allocate(capacity: 1 << Self.bits)
        unsafe hops.initialize(repeating: CachedHop(), count: 1 << Self.bits)
    }

    deinit { unsafe hops.deallocate() }

    /// Packets go by the snapshot that is numbered `serial` from here on.
    mutating func follow(_ serial: UInt64) {
        guard serial != self.serial else { return }
        self.serial = serial
        generation &+= 1
        // What was learnt four billion snapshots ago would look new.
        if generation == 0 {
            unsafe hops.update(repeating: CachedHop(), count: 1 << Self.bits)
            generation = 1
        }
    }

    /// The place of an address (multiplicative hashing: Knuth, vol. 3, section 6.4).
    @inline(__always)
    private func place(_ address: UInt32) -> Int { Int((address &* 0x9e37_79b1) &>> (32 &- Self.bits)) }

    /// The way to an address in host order; nil: it is not remembered.
    @inline(__always)
    func hop(to address: UInt32) -> CachedHop? {
        let hop = unsafe hops[place(address)]
        return hop.address == address && hop.generation == generation ? hop : nil
    }

    /// Ask `routing`, the snapshot that is followed, and remember; nil: packets cannot go there, or there is something to
    /// decide.
    mutating func learn(_ address: UInt32, _ routing: RoutingView) -> CachedHop? {
        guard let route = routing.plainRoute(to: address) else { return nil }
        let egress = routing.interface(route.interface)
        let neighbor = routing.neighbor(interface: route.interface, address: IPAddress(v4: route.nextHop))
        guard neighbor.isUsable else { return nil }
        let hop = CachedHop(
            address: address, generation: generation, interface: Int32(truncatingIfNeeded: route.interface),
            mtu: Int32(truncatingIfNeeded: route.mtu > 0 ? route.mtu : egress.mtu),
            head: neighbor.mac.bits &<< 16 | egress.mac.bits &>> 32, tail: UInt32(truncatingIfNeeded: egress.mac.bits))
        unsafe hops[place(address)] = hop
        return hop
    }
}
