import PacketIO

/// Which ports a worker asks for frames, and when it asks the kernel instead, by `poll`.
///
/// A round that brought more than one frame from a port, or any from one that is free to ask, is followed by another in
/// which every port is asked: under load that is one system call a batch, and the ports that have nothing cost less than
/// `poll`. After a round of single frames, or of none, `poll` comes first, and then only the ports that it named are
/// asked. So a lone frame costs two calls to get, not five with two ports.
///
/// A port is a bit; those from slot 64 on share one with another, so that they are asked too often, never too seldom.
struct AskedPorts {
    /// The ports that `poll` need not name.
    private let always: UInt64
    private var asked = UInt64.max
    /// Whether nothing speaks for another round at once.
    private(set) var isQuiet = true

    /// All of `ports`, to begin with.
    init(_ ports: [any Port]) {
        var always: UInt64 = 0
        for (slot, port) in ports.enumerated() where port.descriptor == nil || port.isFreeToAsk {
            always |= Self.bit(slot)
        }
        self.always = always
    }

    private static func bit(_ slot: Int) -> UInt64 { 1 &<< UInt64(truncatingIfNeeded: slot) }

    /// Whether the port of `slot` is to be asked in this round.
    func contains(_ slot: Int) -> Bool { asked & Self.bit(slot) != 0 }

    /// The port of `slot` gave `count` frames.
    mutating func gave(_ slot: Int, count: Int) {
        if count > 1 || count > 0 && always & Self.bit(slot) != 0 { isQuiet = false }
    }

    /// Begin a round in which every port is asked.
    mutating func all() {
        asked = .max
        isQuiet = true
    }

    /// Begin a round after `poll`, in which it named nothing as yet.
    mutating func onlyNamed() {
        asked = always
        isQuiet = true
    }

    /// `poll` named the port of `slot`.
    mutating func name(_ slot: Int) { asked |= Self.bit(slot) }
}
