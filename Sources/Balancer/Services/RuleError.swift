/// Why a rule was refused. The texts and statuses that ipvsadm prints for them are in `Control`.
public enum RuleError: Error, Hashable, Sendable {
    /// The service to add is there already.
    case serviceExists
    /// The service to edit, delete, list or zero is not there.
    case noSuchService
    /// The service of the destination is not there.
    case serviceNotDefined
    /// The destination to add is there already.
    case destinationExists
    /// The destination to edit or delete is not there.
    case noSuchDestination
    /// A lower threshold above the upper, or a weight out of range.
    case outOfRange
    /// A destination of another family without a tunnel.
    case familyMismatch
    /// A prefix length that the family does not have, or a combination the kernel refuses.
    case invalidArgument
    /// A FULLNAT destination of a service without a local address of the destination's family.
    case noLocalAddress
    /// The last local address of its family, while FULLNAT destinations of that family are left.
    case lastLocalAddress
    /// The local address to add is there already.
    case localAddressExists
    /// The local address to delete is not there.
    case noSuchLocalAddress
    /// An address that cannot be a local address.
    case unusableLocalAddress(LocalAddressProblem)
    /// A virtual address that is a local address already.
    case virtualAddressIsLocal
    /// Every slot for services or destinations is taken.
    case tableFull
}

/// Why an address cannot be a local address of FULLNAT.
public enum LocalAddressProblem: Hashable, Sendable {
    /// 0.0.0.0/8 or `::`.
    case unspecified
    /// A group's.
    case multicast
    /// Of all hosts, or the first or last of an attached IPv4 network.
    case broadcast
    /// The host's own, for itself.
    case loopback
    /// IPv6 fe80::/10.
    case linkLocal
    /// IPv6 for an IPv4 service, which cannot have IPv6 destinations.
    case family
    /// A service's.
    case virtual
    /// The director's host has it for itself.
    case host
    /// The host has it, and gives its own connections these ports, some of which would be the director's.
    case hostPorts(ClosedRange<UInt16>)
    /// Another host on an attached network answers for it.
    case neighbor
}
