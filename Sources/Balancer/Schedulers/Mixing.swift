import Wire

/// A 64-bit hash for the schedulers beyond the kernel's, the same on every director: the finaliser of SplitMix64
/// (Steele, Lea, Flood, OOPSLA 2014) over each word.
enum Mixing {
    /// Each bit of the result depends on each bit of `value`.
    static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// Of an address and a port.
    static func hash(_ address: IPAddress, _ port: UInt16) -> UInt64 {
        mix(mix(mix(address.high) ^ address.low) ^ UInt64(port))
    }

    /// Of a client, with its port where the flags say so.
    static func client(_ request: ScheduleRequest, _ flags: SchedulerFlags) -> UInt64 {
        hash(request.client, flags.contains(.port) ? request.clientPort : 0)
    }

    /// A number below `bound` from the top half of `hash`, without a division (Lemire, "Fast Random Integer Generation
    /// in an Interval", 2019).
    static func below(_ bound: Int, _ hash: UInt64) -> Int { Int(((hash >> 32) &* UInt64(bound)) >> 32) }
}
