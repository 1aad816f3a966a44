import CLinuxNet
public import Wire

/// A network interface through AF_XDP: its redirect program and a socket for each of its receive queues.
///
/// `receive` and `transmit` belong to one worker thread.
public final class XDPPort: InterfacePort, @unchecked Sendable {
    /// The program.
    public let program: RedirectProgram
    /// A socket for each receive queue.
    public let sockets: [XDPSocket]
    /// Readable when frames wait: the socket, or where there are several a group of them (epoll(7)).
    public let descriptor: Int32?
    private let group: OwnedDescriptor
    private var next = 0

    /// Attach to `interface` in the first of `modes` that it has.
    public convenience init(
        interface: String, modes: [RedirectProgram.Mode] = RedirectProgram.Mode.allCases
    ) throws(PortError) {
        let program = try RedirectProgram(interface: interface)
        try program.attach(modes)
        try self.init(program, queues: Array(0..<XDPSocket.queues(of: interface)))
    }

    /// Ports for `count` workers that share the interface's receive queues.
    public static func ports(
        interface: String, modes: [RedirectProgram.Mode] = RedirectProgram.Mode.allCases, count: Int
    ) throws(PortError) -> [XDPPort] {
        let queues = XDPSocket.queues(of: interface)
        guard queues >= count else {
            throw .unsuitable(
                action: "AF_XDP on \(interface)", reason: "\(queues) receive queue(s) for \(count) workers")
        }
        let program = try RedirectProgram(interface: interface)
        try program.attach(modes)
        var ports: [XDPPort] = []
        for worker in 0..<count {
            ports.append(try XDPPort(program, queues: (0..<queues).filter { Int($0) % count == worker }))
        }
        return ports
    }

    /// Take these queues of the interface that the program is attached to.
    private init(_ program: RedirectProgram, queues: [UInt32]) throws(PortError) {
        var sockets: [XDPSocket] = []
        for queue in queues { sockets.append(try XDPSocket(program, queue: queue)) }
        group = try Self.group(sockets, program.interface)
        descriptor = sockets.count == 1 ? sockets[0].descriptor : group.number
        self.program = program
        self.sockets = sockets
    }

    private static func group(_ sockets: [XDPSocket], _ interface: String) throws(PortError) -> OwnedDescriptor {
        let action = "wait for the queues of \(interface)"
        let group = try OwnedDescriptor(CLinuxNet_openGroup(), action)
        for socket in sockets {
            let status = CLinuxNet_joinGroup(group.number, socket.socket.number)
            guard status == 0 else { throw PortError(action, errno: -status) }
        }
        return group
    }

    /// The interface's name.
    public var name: String { program.interface }
    /// `xdp`.
    public var kind: PortKind { .xdp }
    /// True: it looks at rings.
    public var isFreeToAsk: Bool { true }
    /// The mode, and whether the kernel copies.
    public var details: String {
        let copying = sockets.allSatisfy(\.isZeroCopy) ? "zero-copy" : "copying"
        return "\(program.mode?.rawValue ?? "unattached") mode, \(copying), \(sockets.count) queue(s)"
    }
    /// True: what the program redirects, the host never sees.
    public var keepsFramesFromHost: Bool { true }
    /// Those of each queue.
    public var capabilities: PortCapabilities { sockets[0].capabilities }
    /// What all queues counted.
    public var statistics: PortStatistics {
        var total = PortStatistics()
        for socket in sockets {
            let part = socket.statistics
            total.received += part.received
            total.transmitted += part.transmitted
            total.receiveDrops += part.receiveDrops
            total.transmitDrops += part.transmitDrops
        }
        return total
    }

    /// Have the program lead `traffic` here. See `RedirectProgram.own`.
    public func own(_ traffic: OwnedTraffic, filter: SocketFilter, hostAddresses: [IPAddress]) throws(PortError) {
        try program.own(traffic, hostAddresses: hostAddresses)
    }

    /// Have the program lead `traffic` here too; there is room.
    public func include(_ traffic: OwnedTraffic) throws(PortError) -> Bool {
        try program.include(traffic)
        return true
    }

    /// The next queue that has frames, each in its turn. See `Port.receive`.
    public func receive(into frames: UnsafeMutableBufferPointer<Frame>) -> Int {
        for _ in 0..<sockets.count {
            next = next &+ 1 == sockets.count ? 0 : next &+ 1
            let count = unsafe sockets[next].receive(into: frames)
            if count > 0 { return count }
        }
        return 0
    }

    /// By the first queue, so that their order stays. See `Port.transmit`.
    public func transmit(_ frames: UnsafeMutableBufferPointer<Frame>) { unsafe sockets[0].transmit(frames) }
}
