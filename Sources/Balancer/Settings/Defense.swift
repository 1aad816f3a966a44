/// When `drop_entry`, `drop_packet` and `secure_tcp` are in force (`net/netfilter/ipvs/ip_vs_ctl.c`,
/// `update_defense_level`).
///
/// The kernel looks each second whether less than `amemthresh` pages of memory are free. Memory is taken at start here,
/// and what can run out is the connection table: what is short is free entries, and `amemthresh` counts these.
///
/// Modes, of each of the three: 0 never; 1 and 2 when entries are short, of which 1 stands while they are not and 2 while
/// they are; 3 always.
struct Defense: Equatable {
    /// The modes as they stand after the look.
    struct Modes: Equatable {
        var entry: Int32
        var packet: Int32
        var secure: Int32
    }

    var modes: Modes
    /// Each how-manieth new connection is turned away; 0: none.
    var dropRate: Int32
    /// Whether the next one to be turned away is `dropRate` from now.
    var restartsDropping: Bool
    /// Whether entries are picked at random and ended.
    var dropsEntries: Bool

    /// Look.
    /// - Parameters:
    ///   - free: free entries.
    ///   - threshold: `amemthresh`.
    ///   - rate: `am_droprate`.
    init(modes old: Modes, free: Int, threshold: Int32, rate: Int32) {
        let isShort = free < Int(threshold)
        modes = Modes(
            entry: Self.step(old.entry, isShort), packet: Self.step(old.packet, isShort),
            secure: Self.step(old.secure, isShort))
        dropsEntries = modes.entry >= 2
        restartsDropping = false
        switch modes.packet {
        case 0, 1: dropRate = 0
        case 2:
            dropRate = Int32(clamping: Int(threshold) / (Int(threshold) - free))
            restartsDropping = true
        default: dropRate = rate
        }
    }

    private static func step(_ mode: Int32, _ isShort: Bool) -> Int32 {
        mode == 1 || mode == 2 ? (isShort ? 2 : 1) : mode
    }
}
