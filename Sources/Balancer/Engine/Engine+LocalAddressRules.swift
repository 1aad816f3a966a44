public import Wire

/// The local addresses of all services: one set of ports an address, whichever services list it. Control thread.
extension Engine {
    /// The ports of `address`, shared with the other services that list it.
    func local(_ address: IPAddress, for rule: ServiceRule) -> LocalAddress {
        let local = locals[address] ?? LocalAddress(address, provider: configuration.memory)
        locals[address] = local
        local.unlisted = nil
        var transportProtocol = UInt8(0)
        if case .address(let number, _, _) = rule.service.key { transportProtocol = number }
        local.prepare(transportProtocol)
        return local
    }

    /// Let go what is idle, and settle which of the others are ours, before a snapshot is made.
    func settleLocals() {
        guard !locals.isEmpty else { return }
        let listed = Set(rules.values.flatMap(\.localAddresses))
        for (address, local) in locals {
            if isIdle(local) { locals[address] = nil }
            local.isOwned = listed.contains(address) || local.inUse > 0
        }
    }

    /// Whether a new snapshot is due, since an address that no service lists has become idle, or is used otherwise than
    /// the last one says.
    var hasUnsettledLocals: Bool {
        locals.values.contains { $0.unlisted != nil && (isIdle($0) || $0.isOwned != ($0.inUse > 0)) }
    }

    /// Note which addresses no service lists any more, after the snapshot that says so was published.
    func noteUnlistedLocals() {
        guard !locals.isEmpty else { return }
        let listed = Set(rules.values.flatMap(\.localAddresses))
        for (address, local) in locals where local.unlisted == nil && !listed.contains(address) {
            local.unlisted = table.epoch
        }
    }

    /// Whether an address may go: no worker sees a snapshot that lists it, so that no more ports are taken, and all that
    /// were taken are back.
    func isIdle(_ local: LocalAddress) -> Bool {
        guard let unlisted = local.unlisted else { return false }
        return unlisted &+ 2 <= table.epoch && local.inUse == 0
    }
}

/// Which addresses may be local addresses of FULLNAT. Control thread.
extension Engine {
    /// Every local address that a service lists or an entry uses, once, in no order.
    public var localAddresses: [IPAddress] { locals.values.filter(\.isOwned).map(\.address) }

    /// Refuse what cannot be a local address of the service `key`.
    func checkLocal(_ address: IPAddress, for key: ServiceKey) throws(RuleError) {
        if let problem = problem(address, for: key) { throw .unusableLocalAddress(problem) }
    }

    /// Refuse a service at an address that connections to servers come from.
    func checkVirtual(_ key: ServiceKey) throws(RuleError) {
        guard case .address(_, let address, _) = key else { return }
        guard !isLocal(address) else { throw .virtualAddressIsLocal }
    }

    private func isLocal(_ address: IPAddress) -> Bool { locals[address]?.isOwned ?? false }

    private func problem(_ address: IPAddress, for key: ServiceKey) -> LocalAddressProblem? {
        if address.isUnspecified || address.isV4 && address.v4 >> 24 == 0 { return .unspecified }
        if address.isMulticast { return .multicast }
        if address.isLoopback { return .loopback }
        if address.isLinkLocalV6 { return .linkLocal }
        // 240.0.0.0/4 is reserved (RFC 1112 §4), its last address means all hosts.
        if address.isV4, address.v4 >> 28 == 0xf { return .broadcast }
        if key.family == .v4, !address.isV4 { return .family }
        // What is owned is a virtual address or a local one, never both.
        if !isLocal(address), serviceTable.owns(address) || batch.virtual.contains(address) { return .virtual }
        guard let network = network?() else { return nil }
        // All its ports would be ours, and the host's own connections would be lost.
        if network.interfaces.contains(where: { $0.addresses.contains { $0.address == address } }) { return .host }
        for interface in network.interfaces {
            if interface.addresses.contains(where: { $0.isEdge(address) }) { return .broadcast }
            if network.neighbor(interface: interface.slot, address: address).isUsable { return .neighbor }
        }
        return nil
    }
}

extension InterfaceAddress {
    /// Whether `other` is the first or last address of this one's IPv4 network, where these have a meaning of their own:
    /// not in networks of one or two addresses (RFC 3021).
    fileprivate func isEdge(_ other: IPAddress) -> Bool {
        guard address.isV4, other.isV4, prefixLength < 31 else { return false }
        let host = UInt32.max >> UInt32(prefixLength)
        return other.v4 & ~host == address.v4 & ~host && (other.v4 & host == 0 || other.v4 & host == host)
    }
}
