public import Synchronization

/// The settings in force: read by workers, written by the control thread.
@safe
public final class Settings: @unchecked Sendable {
    let cells: UnsafeMutablePointer<Atomic<Int32>>
    let timeoutCells: UnsafeMutablePointer<Atomic<UInt32>>

    /// Places in the timeout table: TCP states, then UDP, then SCTP states.
    static let udpTimeout = 16
    static let sctpTimeouts = 32
    static let timeoutCount = 64
    /// Cells behind the settings: what `Defense` put in force.
    static var defenseCells: Int { Setting.allCases.count }

    /// The kernel's defaults.
    public init() {
        unsafe cells = .allocate(capacity: Setting.allCases.count + 3)
        unsafe timeoutCells = .allocate(capacity: Self.timeoutCount)
        for setting in Setting.allCases {
            unsafe (cells + Int(setting.rawValue)).initialize(to: Atomic(setting.defaultValue))
        }
        for place in 0..<3 { unsafe (cells + (Self.defenseCells + place)).initialize(to: Atomic(0)) }
        for place in 0..<Self.timeoutCount { unsafe (timeoutCells + place).initialize(to: Atomic(0)) }
        for state in TCPState.allCases {
            unsafe timeoutCells[Int(state.rawValue)].store(Ticks.seconds(state.defaultTimeout), ordering: .relaxed)
        }
        unsafe timeoutCells[Self.udpTimeout].store(Ticks.seconds(Timeouts().udp), ordering: .relaxed)
        for state in SCTPState.allCases {
            unsafe timeoutCells[Self.sctpTimeouts + Int(state.rawValue)].store(
                Ticks.seconds(state.defaultTimeout), ordering: .relaxed)
        }
    }

    deinit {
        unsafe cells.deinitialize(count: Setting.allCases.count + 3)
        unsafe cells.deallocate()
        unsafe timeoutCells.deinitialize(count: Self.timeoutCount)
        unsafe timeoutCells.deallocate()
    }

    /// The value of a setting.
    public subscript(setting: Setting) -> Int32 {
        get { view[setting] }
        set { unsafe cells[Int(setting.rawValue)].store(newValue, ordering: .relaxed) }
    }

    /// The three timeouts of `ipvsadm --set`. Running timers are not touched.
    public var timeouts: Timeouts {
        get {
            func seconds(_ place: Int) -> UInt32 {
                unsafe timeoutCells[place].load(ordering: .relaxed) / Ticks.perSecond
            }
            return Timeouts(
                tcp: seconds(Int(TCPState.established.rawValue)), tcpFin: seconds(Int(TCPState.finWait.rawValue)),
                udp: seconds(Self.udpTimeout))
        }
        set {
            unsafe timeoutCells[Int(TCPState.established.rawValue)].store(
                Ticks.seconds(newValue.tcp), ordering: .relaxed)
            unsafe timeoutCells[Int(TCPState.finWait.rawValue)].store(
                Ticks.seconds(newValue.tcpFin), ordering: .relaxed)
            unsafe timeoutCells[Self.udpTimeout].store(Ticks.seconds(newValue.udp), ordering: .relaxed)
        }
    }

    /// Put a level of defence in force.
    func put(_ defense: Defense, startsSweep: Bool) {
        unsafe cells[Self.defenseCells].store(defense.dropRate, ordering: .relaxed)
        if defense.restartsDropping {
            unsafe _ = cells[Self.defenseCells + 1].wrappingAdd(1, ordering: .relaxed)
        }
        if startsSweep, defense.dropsEntries {
            unsafe _ = cells[Self.defenseCells + 2].wrappingAdd(1, ordering: .relaxed)
        }
        self[.dropEntry] = defense.modes.entry
        self[.dropPacket] = defense.modes.packet
        self[.secureTcp] = defense.modes.secure
    }

    /// What workers read.
    public var view: SettingsView { unsafe SettingsView(cells, timeoutCells, cells + Self.defenseCells) }
}

/// The workers' sight of the settings.
@safe
public struct SettingsView {
    @usableFromInline let cells: UnsafeMutablePointer<Atomic<Int32>>
    @usableFromInline let timeouts: UnsafeMutablePointer<Atomic<UInt32>>
    @usableFromInline let defense: UnsafeMutablePointer<Atomic<Int32>>

    init(
        _ cells: UnsafeMutablePointer<Atomic<Int32>>, _ timeouts: UnsafeMutablePointer<Atomic<UInt32>>,
        _ defense: UnsafeMutablePointer<Atomic<Int32>>
    ) {
        unsafe self.cells = cells
        unsafe self.timeouts = timeouts
        unsafe self.defense = defense
    }

    /// Each how-manieth new connection `drop_packet` turns away; 0: none.
    @inlinable @inline(__always)
    public var dropRate: Int32 { unsafe defense[0].load(ordering: .relaxed) }
    /// How often the counting towards `dropRate` was begun anew.
    @inlinable @inline(__always)
    public var dropRestarts: Int32 { unsafe defense[1].load(ordering: .relaxed) }
    /// How often `drop_entry` wanted entries picked.
    @inlinable @inline(__always)
    public var entrySweeps: Int32 { unsafe defense[2].load(ordering: .relaxed) }

    /// The value of a setting.
    @inlinable @inline(__always)
    public subscript(setting: Setting) -> Int32 { unsafe cells[Int(setting.rawValue)].load(ordering: .relaxed) }

    /// The timeout of a TCP state in ticks.
    @inlinable @inline(__always)
    public func tcpTimeout(_ state: UInt8) -> Tick { unsafe timeouts[Int(state & 15)].load(ordering: .relaxed) }
    /// The timeout of UDP in ticks.
    @inlinable @inline(__always)
    public var udpTimeout: Tick { unsafe timeouts[16].load(ordering: .relaxed) }
    /// The timeout of an SCTP state in ticks.
    @inlinable @inline(__always)
    public func sctpTimeout(_ state: UInt8) -> Tick {
        unsafe timeouts[32 &+ Int(state & 15)].load(ordering: .relaxed)
    }
}
