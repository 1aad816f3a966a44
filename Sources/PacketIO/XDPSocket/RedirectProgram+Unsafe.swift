import CLinuxNet
import Glibc
public import Wire

/// A descriptor that is closed when it goes.
struct OwnedDescriptor: ~Copyable {
    let number: Int32

    /// From what a call returned: a descriptor or -errno.
    init(_ result: Int32, _ action: String) throws(PortError) {
        guard result >= 0 else { throw PortError(action, errno: -result) }
        number = result
    }

    deinit { close(number) }
}

/// The XDP program on an interface that leads what Fairlead owns to the `XDPSocket`s of its queues, and its maps. The
/// kernel takes it off the interface when this goes, or the process dies, whichever way.
///
/// Any thread; calls come one at a time.
public final class RedirectProgram: @unchecked Sendable {
    /// How the program runs.
    public enum Mode: String, CaseIterable, Hashable, Sendable {
        /// In the driver, before the kernel makes a packet of the frame.
        case native
        /// In the kernel's receive path, with any driver.
        case generic

        var flag: UInt32 {
            switch self {
            case .native: UInt32(CLinuxNet_XDP_FLAGS_DRV_MODE)
            case .generic: UInt32(CLinuxNet_XDP_FLAGS_SKB_MODE)
            }
        }
    }

    /// A map of the program.
    enum Map: Hashable, CaseIterable {
        case endpoints
        case addresses
        case sockets
    }

    /// An instruction that loads a map's address.
    struct Reference {
        var instruction: Int
        var map: Map
    }

    /// Most endpoints, and most addresses.
    static let mapEntries: UInt32 = 1 << 18

    /// The interface's name.
    public let interface: String
    let interfaceIndex: Int32
    /// How the program runs; nil: on no interface.
    public private(set) var mode: Mode?
    private let endpoints: OwnedDescriptor
    private let addresses: OwnedDescriptor
    private let sockets: OwnedDescriptor
    private let program: OwnedDescriptor
    private var link: OwnedDescriptor?
    private var known: RedirectKeys

    /// Load the program and its maps for `interface`; nothing is attached yet.
    public init(interface: String) throws(PortError) {
        let action = "XDP program for \(interface)"
        let probe = try SocketDescriptor(opening: "open a socket for \(interface)")
        interfaceIndex = try probe.facts(of: interface).index
        self.interface = interface
        let keyLength = UInt32(RedirectKeys.endpointLength)
        endpoints = try OwnedDescriptor(
            CLinuxNet_makeHashMap(keyLength, Self.mapEntries), "make a map of the \(action)")
        addresses = try OwnedDescriptor(CLinuxNet_makeHashMap(16, Self.mapEntries), "make a map of the \(action)")
        sockets = try OwnedDescriptor(CLinuxNet_makeSocketMap(64), "make the socket map of the \(action)")
        var instructions = Self.instructions
        for reference in Self.references {
            let map =
                switch reference.map {
                case .endpoints: endpoints.number
                case .addresses: addresses.number
                case .sockets: sockets.number
                }
            // `ld_imm64` (opcode 0x18, BPF_PSEUDO_MAP_FD as its source register): the descriptor is its operand.
            instructions[reference.instruction] |= 1 << 12 | UInt64(UInt32(bitPattern: map)) << 32
        }
        program = try Self.load(instructions, action)
        known = RedirectKeys(OwnedTraffic(), hostAddresses: [])
    }

    private static func load(_ instructions: [UInt64], _ action: String) throws(PortError) -> OwnedDescriptor {
        var log = [CChar](repeating: 0, count: 1 << 16)
        let status = unsafe instructions.withUnsafeBytes { code in
            unsafe log.withUnsafeMutableBufferPointer { text -> Int32 in
                guard let code = code.baseAddress, let text = text.baseAddress else { return -EINVAL }
                return unsafe CLinuxNet_loadXDPProgram(code, UInt32(instructions.count), text, 1 << 16)
            }
        }
        guard status >= 0 || status == -EPERM || status == -EACCES && log[0] == 0 else {
            let said = String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let last = said.split(separator: "\n").suffix(2).joined(separator: "; ")
            throw .system(action: "load the \(action)\(last.isEmpty ? "" : " (\(last))")", errno: -status)
        }
        return try OwnedDescriptor(status, "load the \(action)")
    }

    /// Attach the program in the first of `modes` that the interface has, and say which.
    @discardableResult
    public func attach(_ modes: [Mode] = Mode.allCases) throws(PortError) -> Mode {
        var last = PortError.system(action: "attach the XDP program to \(interface)", errno: EINVAL)
        for mode in modes {
            do throws(PortError) {
                link = try OwnedDescriptor(
                    CLinuxNet_linkXDPProgram(program.number, interfaceIndex, mode.flag),
                    "attach the XDP program to \(interface) (\(mode.rawValue))")
                self.mode = mode
                return mode
            } catch {
                last = error
            }
        }
        throw last
    }

    /// Lead `traffic` to the sockets, and nothing else. What comes is added before what goes is removed. `hostAddresses`
    /// are the host's own: what a real server sends to them stays with the host.
    public func own(_ traffic: OwnedTraffic, hostAddresses: [IPAddress]) throws(PortError) {
        let keys = try keys(of: traffic, hostAddresses)
        try add(keys)
        for key in known.endpoints.keys where keys.endpoints[key] == nil {
            remove(endpoints.number, RedirectKeys.bytes(key))
        }
        for key in known.addresses.keys where keys.addresses[key] == nil {
            remove(addresses.number, RedirectKeys.bytes(key))
        }
        known = keys
    }

    /// Lead `traffic` to the sockets too.
    public func include(_ traffic: OwnedTraffic) throws(PortError) {
        var keys = try keys(of: traffic, [])
        keys.merge(known)
        try add(keys)
        known = keys
    }

    private func keys(of traffic: OwnedTraffic, _ hostAddresses: [IPAddress]) throws(PortError) -> RedirectKeys {
        guard !traffic.marked.contains(where: \.isOurs) else {
            throw .unsuitable(
                action: "take marked packets of \(interface) by AF_XDP",
                reason: "its program cannot tell them; run with --io packet")
        }
        return RedirectKeys(traffic, hostAddresses: hostAddresses)
    }

    private func add(_ keys: RedirectKeys) throws(PortError) {
        for (key, value) in keys.endpoints where known.endpoints[key] != value {
            try set(endpoints.number, RedirectKeys.bytes(key), value)
        }
        for (key, value) in keys.addresses where known.addresses[key] != value {
            try set(addresses.number, RedirectKeys.bytes(key), value)
        }
    }

    /// Lead frames of `queue` to the AF_XDP socket `socket`.
    func lead(queue: UInt32, to socket: Int32) throws(PortError) {
        let key = unsafe withUnsafeBytes(of: queue) { unsafe Array($0) }
        try set(sockets.number, key, UInt32(bitPattern: socket))
    }

    /// Whether the program would lead this frame to a socket of queue 0, if there is one (`BPF_PROG_TEST_RUN`).
    func redirects(_ frame: [UInt8]) throws(PortError) -> Bool {
        let status = unsafe frame.withUnsafeBytes { bytes -> Int32 in
            guard let base = bytes.baseAddress else { return -EINVAL }
            return unsafe CLinuxNet_testXDPProgram(program.number, base, UInt32(frame.count))
        }
        guard status >= 0 else { throw PortError("test the XDP program of \(interface)", errno: -status) }
        return status == CLinuxNet_XDP_REDIRECT
    }

    private func set(_ map: Int32, _ key: [UInt8], _ value: UInt32) throws(PortError) {
        var value = value
        let status = unsafe key.withUnsafeBytes { bytes -> Int32 in
            guard let base = bytes.baseAddress else { return -EINVAL }
            return unsafe CLinuxNet_setMapValue(map, base, &value)
        }
        guard status == 0 else {
            throw PortError("change a map of the XDP program for \(interface)", errno: -status)
        }
    }

    private func remove(_ map: Int32, _ key: [UInt8]) {
        unsafe key.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress { unsafe _ = CLinuxNet_removeMapKey(map, base) }
        }
    }
}
