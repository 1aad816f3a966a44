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
    /// A FULLNAT destination of a service without a local address of the destination's family, or the last such address
    /// while FULLNAT destinations are left.
    case noLocalAddress
    /// The local address to add is there already.
    case localAddressExists
    /// The local address to delete is not there.
    case noSuchLocalAddress
    /// An address that cannot be a local address: unspecified, multicast, broadcast, loopback, a virtual address, or one
    /// that another host on an attached network answers for.
    case unusableLocalAddress
    /// Every slot for services or destinations is taken.
    case tableFull
}
