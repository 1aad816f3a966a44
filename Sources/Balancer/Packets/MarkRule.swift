public import Wire

/// A rule that gives a packet a firewall mark; fields that are nil match everything.
public struct MarkRule: Hashable, Sendable, BitwiseCopyable {
    /// Most rules an engine has: each packet is compared with all of them.
    public static var capacity: Int { 64 }

    /// Source prefix, the bits behind its length zero.
    public var source: IPAddress?
    /// Length of the source prefix.
    public var sourceLength: Int
    /// Destination prefix, the bits behind its length zero.
    public var destination: IPAddress?
    /// Length of the destination prefix.
    public var destinationLength: Int
    /// IP protocol.
    public var transportProtocol: UInt8?
    /// Source port.
    public var sourcePort: UInt16?
    /// Destination port.
    public var destinationPort: UInt16?
    /// Ingress interface, by slot.
    public var interface: Int?
    /// The mark it gives.
    public var mark: UInt32

    /// From its parts.
    public init(
        source: IPAddress? = nil, sourceLength: Int = 128, destination: IPAddress? = nil, destinationLength: Int = 128,
        transportProtocol: UInt8? = nil, sourcePort: UInt16? = nil, destinationPort: UInt16? = nil,
        interface: Int? = nil, mark: UInt32
    ) {
        self.source = source
        self.sourceLength = sourceLength
        self.destination = destination
        self.destinationLength = destinationLength
        self.transportProtocol = transportProtocol
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.interface = interface
        self.mark = mark
    }

    /// Whether a packet that came by `ingress` is one of those it marks.
    @inline(__always)
    func matches(_ key: FlowKey, interface ingress: Int) -> Bool {
        if let source, source.isV4 != key.source.isV4 || key.source.masked(sourceLength) != source { return false }
        if let destination,
            destination.isV4 != key.destination.isV4 || key.destination.masked(destinationLength) != destination
        {
            return false
        }
        if let transportProtocol, transportProtocol != key.transportProtocol { return false }
        if let sourcePort, sourcePort != key.sourcePort { return false }
        if let destinationPort, destinationPort != key.destinationPort { return false }
        if let interface, interface != ingress { return false }
        return true
    }

    /// The family of the packets it marks; nil: both.
    public var family: AddressFamily? { (destination ?? source)?.family }

    /// The one address that it marks packets to; nil: several.
    public var wholeDestination: IPAddress? {
        guard let destination, destinationLength >= destination.family.bits else { return nil }
        return destination
    }
}

/// Why a rule that marks packets was refused.
public enum MarkError: Error, Hashable, Sendable {
    /// It is there already.
    case exists
    /// There is no such rule.
    case noSuchRule
    /// There are `MarkRule.capacity` already.
    case tableFull
}

/// Rules that mark packets: ordered; the last one that matches gives the mark, as successive nft rules that set it would.
/// Control thread.
extension Engine {
    /// Add a rule behind the others.
    public func addMark(_ rule: MarkRule) throws(MarkError) {
        guard !markRules.contains(rule) else { throw .exists }
        guard markRules.count < MarkRule.capacity else { throw .tableFull }
        markRules.append(rule)
        note(nil)
        publish()
    }

    /// Remove a rule.
    public func removeMark(_ rule: MarkRule) throws(MarkError) {
        guard let place = markRules.firstIndex(of: rule) else { throw .noSuchRule }
        markRules.remove(at: place)
        note(nil)
        publish()
    }

    /// Put these rules, in order, in the place of all there are; none twice.
    public func replaceMarks(_ rules: [MarkRule]) throws(MarkError) {
        guard Set(rules).count == rules.count else { throw .exists }
        guard rules.count <= MarkRule.capacity else { throw .tableFull }
        guard rules != markRules else { return }
        markRules = rules
        note(nil)
        publish()
    }

    /// Whether a service has the mark for packets of the family.
    public func hasService(mark: UInt32, _ family: AddressFamily) -> Bool { rules[.mark(mark, family: family)] != nil }

    /// Virtual addresses that mark rules name in full, for services there are.
    var markedAddresses: [IPAddress] {
        markRules.compactMap { rule in
            rule.wholeDestination.flatMap { hasService(mark: rule.mark, $0.family) ? $0 : nil }
        }
    }
}
