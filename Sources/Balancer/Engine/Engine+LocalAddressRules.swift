public import Wire

/// The local addresses of all services: one set of ports an address, whichever services list it. Control thread.
extension Engine {
    /// The ports of `address`, shared with the other services that list it.
    func local(_ address: IPAddress, for rule: ServiceRule) -> LocalAddress {
        let local =
            locals[address]
            ?? LocalAddress(address, isOfHost: hostHas(address), provider: configuration.memory)
        locals[address] = local
        local.unlisted = nil
        var transportProtocol = UInt8(0)
        if case .address(let number, _, _) = rule.service.key { transportProtocol = number }
        local.prepare(transportProtocol)
        return local
    }

    /// Give connections that the host itself opens these addresses of the host, towards real servers that are reached by
    /// NAT; those that are on no interface of ours, or never leave it, are passed over. Replaces what was given before.
    ///
    /// - Throws: `unusableLocalAddress` when the host gives out ports that would be the director's.
    public func lendHostAddresses(_ addresses: [IPAddress]) throws(RuleError) {
        let attached = network?().interfaces.flatMap { $0.addresses.map(\.address) } ?? []
        let usable = addresses.filter { address in
            !address.isLoopback && !address.isLinkLocalV6 && attached.contains(address)
                && locals[address]?.isOfHost ?? true
        }
        if !usable.isEmpty, let problem = portProblem { throw .unusableLocalAddress(problem) }
        let pool = usable.map { address in
            let local = locals[address] ?? LocalAddress(address, isOfHost: true, provider: configuration.memory)
            locals[address] = local
            local.unlisted = nil
            local.prepare(0)
            return local
        }
        hostPool = pool.isEmpty ? nil : LocalPool(pool)
        publish()
    }

    /// Reach real servers on the host itself from these addresses, which lead back here and that nobody has: the host would
    /// answer a client past the director. Called once, before the first rule.
    public func reachHost(from addresses: [IPAddress]) {
        let pool = addresses.map { address in
            let local = LocalAddress(address, isOfHost: false, provider: configuration.memory)
            locals[address] = local
            local.prepare(0)
            return local
        }
        ownServerPool = LocalPool(pool)
        publish()
    }

    /// The addresses that services list, or that the host's own connections or real servers have.
    private var listedLocals: Set<IPAddress> {
        let lent = [hostPool, ownServerPool].compactMap(\.self).flatMap(\.addresses)
        return Set(rules.values.flatMap(\.localAddresses)).union(lent.map(\.address))
    }

    /// Let go what is idle, and settle which of the others are ours, before a snapshot is made.
    func settleLocals() {
        guard !locals.isEmpty else { return }
        let listed = listedLocals
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
        let listed = listedLocals
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
    /// Every local address that a service lists or an entry uses and that is ours whole, once, in no order.
    public var localAddresses: [IPAddress] { locals.values.filter { $0.isOwned && !$0.isOfHost }.map(\.address) }

    /// Those of them that a network may know: real servers on the host itself are reached from the others.
    public var announcedLocalAddresses: [IPAddress] {
        localAddresses.filter { address in !(ownServerPool?.addresses.contains { $0.address == address } ?? false) }
    }

    /// The same of those that the host has too: ports from `LocalPortRing.firstPortBesideHost` on are ours.
    public var localAddressesOfHost: [IPAddress] {
        locals.values.filter { $0.isOwned && $0.isOfHost }.map(\.address)
    }

    /// Refuse what cannot be a local address of a service.
    func checkLocal(_ address: IPAddress, for service: VirtualService) throws(RuleError) {
        if let problem = problem(address, for: service) { throw .unusableLocalAddress(problem) }
    }

    /// Refuse a service at an address that connections to servers come from.
    func checkVirtual(_ key: ServiceKey) throws(RuleError) {
        guard case .address(_, let address, _) = key else { return }
        guard !isLocal(address) else { throw .virtualAddressIsLocal }
    }

    private func isLocal(_ address: IPAddress) -> Bool {
        guard let local = locals[address] else { return false }
        return local.isOwned && !local.isOfHost
    }

    /// Whether the host has the address, on whichever interface.
    private func hostHas(_ address: IPAddress) -> Bool { network?().isLocal(address) ?? false }

    /// What is wrong with an address that the host has: its own connections need it. A masquerade rule, which is for
    /// clients that would see the host's address anyway, takes a range of ports that the host does not give out.
    private func problemOfHostAddress(_ address: IPAddress, for service: VirtualService) -> LocalAddressProblem? {
        if let known = locals[address], known.isOwned { return known.isOfHost ? nil : .host }
        return portProblem
    }

    /// Whether the host gives its own connections ports that would be the director's.
    private var portProblem: LocalAddressProblem? {
        let ours = LocalPortRing.firstPortBesideHost...LocalPortRing.lastPort
        return hostPorts?().first { $0.overlaps(ours) }.map { .hostPorts($0) }
    }

    private func problem(_ address: IPAddress, for service: VirtualService) -> LocalAddressProblem? {
        if address.isUnspecified || address.isV4 && address.v4 >> 24 == 0 { return .unspecified }
        if address.isMulticast { return .multicast }
        if address.isLoopback { return .loopback }
        if address.isLinkLocalV6 { return .linkLocal }
        // 240.0.0.0/4 is reserved (RFC 1112 §4), its last address means all hosts.
        if address.isV4, address.v4 >> 28 == 0xf { return .broadcast }
        if service.key.family == .v4, !address.isV4 { return .family }
        if hostHas(address), service.masquerade != nil { return problemOfHostAddress(address, for: service) }
        // What is owned is a virtual address or a local one, never both.
        if !isLocal(address), serviceTable.owns(address) || batch.virtual.contains(address) { return .virtual }
        guard let network = network?() else { return nil }
        if hostHas(address) || locals[address]?.isOfHost ?? false { return .host }
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
