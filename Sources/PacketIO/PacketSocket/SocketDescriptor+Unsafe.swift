import CLinuxNet
import Glibc

/// A packet socket's descriptor; closed when it goes.
struct SocketDescriptor: ~Copyable {
    /// The descriptor.
    let number: Int32

    /// A new socket that receives nothing yet.
    init(opening action: String) throws(PortError) {
        let number = CLinuxNet_openPacketSocket()
        guard number >= 0 else { throw PortError(action, errno: -number) }
        self.number = number
    }

    /// Another descriptor of a packet socket that someone else opened and keeps.
    init(duplicating descriptor: Int32, _ action: String) throws(PortError) {
        let number = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard number >= 0 else { throw PortError(action, errno: errno) }
        self.number = number
    }

    deinit { close(number) }

    /// Index and MTU in bytes of an Ethernet interface in the socket's network namespace.
    func facts(of interface: String) throws(PortError) -> (index: Int32, mtu: Int) {
        let index = unsafe CLinuxNet_interfaceIndex(number, interface)
        guard index != -ENODEV else { throw .noSuchInterface(interface) }
        guard index > 0 else { throw PortError("find interface \(interface)", errno: -index) }
        let type = unsafe CLinuxNet_interfaceType(number, interface)
        guard type == CLinuxNet_typeEthernet || type == CLinuxNet_typeLoopback else {
            throw .notEthernet(interface, type: type)
        }
        let mtu = unsafe CLinuxNet_interfaceMTU(number, interface)
        guard mtu > 0 else { throw PortError("read the MTU of \(interface)", errno: -mtu) }
        return (index, Int(mtu))
    }

    /// Receive from here on.
    func bind(interfaceIndex: Int32, action: String) throws(PortError) {
        let status = CLinuxNet_bindPacketSocket(number, interfaceIndex)
        guard status == 0 else { throw PortError("bind \(action)", errno: -status) }
    }

    /// The group of sockets that share an interface's frames with this one, which becomes its first if it has none.
    func fanoutGroup(action: String) throws(PortError) -> Int32 {
        let group = CLinuxNet_fanoutGroup(number)
        guard group >= 0 else { throw PortError("share frames of \(action)", errno: -group) }
        return group
    }

    /// Become one of such a group.
    func join(fanoutGroup group: Int32, action: String) throws(PortError) {
        let status = CLinuxNet_joinFanoutGroup(number, group)
        guard status == 0 else { throw PortError("share frames of \(action)", errno: -status) }
    }

    /// Have the interface take in all multicast, for as long as the socket is open: neighbour solicitations for addresses
    /// that only we have go to groups that the host has not joined, and a device that filters would keep them from us.
    func receiveAllMulticast(interfaceIndex: Int32, action: String) throws(PortError) {
        let status = CLinuxNet_receiveAllMulticast(number, interfaceIndex)
        guard status == 0 else { throw PortError("take in multicast on \(action)", errno: -status) }
    }

    /// Set all options; before the socket is bound.
    /// - Returns: whether the kernel hands over what this host sends, having no PACKET_IGNORE_OUTGOING.
    func prepare(_ settings: PacketSocket.Settings, action: String) throws(PortError) -> Bool {
        try set(SOL_PACKET, PACKET_VNET_HDR, 1, "turn on offload headers of \(action)")
        if settings.bypassesQueueingDiscipline {
            try set(SOL_PACKET, PACKET_QDISC_BYPASS, 1, "bypass the queueing discipline of \(action)")
        }
        let receiveBuffer = Int32(clamping: settings.receiveBuffer)
        if CLinuxNet_setOption(number, SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer) < 0 {
            try set(SOL_SOCKET, SO_RCVBUF, receiveBuffer, "size the receive buffer of \(action)")
        }
        let transmitBuffer = Int32(clamping: settings.transmitBuffer)
        if CLinuxNet_setOption(number, SOL_SOCKET, SO_SNDBUFFORCE, transmitBuffer) < 0 {
            try set(SOL_SOCKET, SO_SNDBUF, transmitBuffer, "size the transmit buffer of \(action)")
        }
        let status = CLinuxNet_setOption(number, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        guard status == 0 || status == -ENOPROTOOPT else {
            throw PortError("ignore own frames on \(action)", errno: -status)
        }
        return status != 0
    }

    /// Attach a filter in place of the one before.
    func attach(_ filter: SocketFilter, action: String) throws(PortError) {
        let program = filter.instructions.map { instruction in
            sock_filter(
                code: instruction.code, jt: instruction.whenTrue, jf: instruction.whenFalse, k: instruction.operand)
        }
        let status = unsafe program.withUnsafeBufferPointer { instructions -> Int32 in
            guard let first = instructions.baseAddress else { return -EINVAL }
            return unsafe CLinuxNet_attachFilter(number, first, UInt16(clamping: instructions.count))
        }
        guard status == 0 else { throw PortError("attach the filter of \(action)", errno: -status) }
    }

    /// Frames dropped by the kernel since the last call.
    func takeDrops() -> UInt64 {
        var drops: UInt32 = 0
        return unsafe CLinuxNet_takeDrops(number, &drops) == 0 ? UInt64(drops) : 0
    }

    private func set(_ level: Int32, _ option: Int32, _ value: Int32, _ action: String) throws(PortError) {
        let status = CLinuxNet_setOption(number, level, option, value)
        guard status == 0 else { throw PortError(action, errno: -status) }
    }
}
