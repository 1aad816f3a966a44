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
    /// Every slot for services or destinations is taken.
    case tableFull
}
