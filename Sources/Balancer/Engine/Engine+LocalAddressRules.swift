public import Wire

/// Which addresses may be local addresses of FULLNAT. Control thread.
extension Engine {
    /// Every local address of every service's pool, once, in no order.
    public var localAddresses: [IPAddress] { Array(localUses.keys) }

    /// One pool less has a local address.
    func forgetUse(of address: IPAddress) {
        let left = (localUses[address] ?? 1) - 1
        localUses[address] = left > 0 ? left : nil
    }

    /// Refuse what cannot be a local address of the service `key`.
    func checkLocal(_ address: IPAddress, for key: ServiceKey) throws(RuleError) {
        if let problem = problem(address, for: key) { throw .unusableLocalAddress(problem) }
    }

    /// Refuse a service at an address that connections to servers come from.
    func checkVirtual(_ key: ServiceKey) throws(RuleError) {
        guard case .address(_, let address, _) = key else { return }
        guard localUses[address] == nil else { throw .virtualAddressIsLocal }
    }

    private func problem(_ address: IPAddress, for key: ServiceKey) -> LocalAddressProblem? {
        if address.isUnspecified || address.isV4 && address.v4 >> 24 == 0 { return .unspecified }
        if address.isMulticast { return .multicast }
        if address.isLoopback { return .loopback }
        if address.isLinkLocalV6 { return .linkLocal }
        // 240.0.0.0/4 is reserved (RFC 1112 §4), its last address means all hosts.
        if address.isV4, address.v4 >> 28 == 0xf { return .broadcast }
        if key.family == .v4, !address.isV4 { return .family }
        // What is owned is a virtual address or a local one, never both.
        if serviceTable.owns(address), localUses[address] == nil { return .virtual }
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
