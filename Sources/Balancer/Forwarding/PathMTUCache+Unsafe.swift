public import Wire

/// What routers said of the MTU on the way to a destination: a bounded number of addresses, each for ten minutes
/// (`net/ipv4/route.c`, `update_or_create_fnhe`). One worker's.
///
/// An address has one place that its bits choose; a newer one takes it over. Losing an entry costs one more ICMP error.
@safe
public struct PathMTUCache: ~Copyable {
    /// Most addresses.
    public static var capacity: Int { 256 }
    /// Ticks that an MTU is believed (RFC 1191 §6.3; `ip_rt_mtu_expires`).
    public static var life: Tick { Ticks.seconds(600) }
    /// The least MTU that is believed: `ip_rt_min_pmtu`, and IPv6's smallest link (RFC 8200 §5).
    public static func least(isV4: Bool) -> Int { isV4 ? 552 : 1280 }

    struct Place {
        var address: IPAddress
        var deadline: Tick
        /// 0: nothing is known.
        var mtu: Int32
        /// Whether a packet was sent by it.
        var isInUse: Bool
    }

    private let places: UnsafeMutablePointer<Place>
    /// Addresses known, expired ones included.
    private var count = 0

    /// Nothing known.
    public init() {
        unsafe places = .allocate(capacity: Self.capacity)
        unsafe places.initialize(
            repeating: Place(address: .anyV4, deadline: 0, mtu: 0, isInUse: false), count: Self.capacity)
    }

    deinit { unsafe places.deallocate() }

    private func place(_ address: IPAddress) -> Int {
        let mixed = (address.high ^ address.low) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: mixed >> 56)
    }

    private func isKnown(_ place: Int, _ address: IPAddress, _ now: Tick) -> Bool {
        unsafe places[place].mtu != 0 && places[place].address == address
            && Ticks.isBefore(now, places[place].deadline)
    }

    /// The MTU to send by: `mtu` of the route, or less.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func mtu(to address: IPAddress, route mtu: Int, now: Tick) -> Int {
        guard count > 0 else { return mtu }
        let place = place(address)
        guard isKnown(place, address, now) else { return mtu }
        unsafe places[place].isInUse = true
        return min(mtu, unsafe Int(places[place].mtu))
    }

    /// The MTU that packets were sent by until now.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func mtuInUse(to address: IPAddress, route mtu: Int, now: Tick) -> Int {
        guard count > 0 else { return mtu }
        let place = place(address)
        guard isKnown(place, address, now), unsafe places[place].isInUse else { return mtu }
        return min(mtu, unsafe Int(places[place].mtu))
    }

    /// A router reported `reported`. Only a lower MTU than the one known is taken.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func learn(_ address: IPAddress, reported: Int, now: Tick) {
        let mtu = max(reported, Self.least(isV4: address.isV4))
        let place = place(address)
        let wasKnown = isKnown(place, address, now)
        if wasKnown, unsafe Int(places[place].mtu) < mtu { return }
        if unsafe places[place].mtu == 0 { count &+= 1 }
        let isInUse = unsafe wasKnown && places[place].isInUse
        unsafe places[place] = Place(
            address: address, deadline: now &+ Self.life, mtu: Int32(truncatingIfNeeded: mtu), isInUse: isInUse)
    }
}
