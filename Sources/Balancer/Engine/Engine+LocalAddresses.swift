import Wire

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

    /// Let go what no service lists and no entry uses, before a snapshot is made.
    func forgetIdleLocals() {
        for (address, local) in locals where isIdle(local) { locals[address] = nil }
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
