import Balancer
public import Wire

/// A rule that gives a packet a firewall mark; fields that are nil match everything.
public struct MarkRule: Hashable, Sendable, BitwiseCopyable {
    /// Source prefix and its length.
    public var source: IPAddress?
    /// Length of the source prefix.
    public var sourceLength: Int
    /// Destination prefix.
    public var destination: IPAddress?
    /// Length of the destination prefix.
    public var destinationLength: Int
    /// IP protocol.
    public var transportProtocol: UInt8?
    /// Destination port.
    public var destinationPort: UInt16?
    /// Ingress interface.
    public var interface: Int?
    /// The mark it gives.
    public var mark: UInt32

    /// From its parts.
    public init(
        source: IPAddress? = nil, sourceLength: Int = 128, destination: IPAddress? = nil, destinationLength: Int = 128,
        transportProtocol: UInt8? = nil, destinationPort: UInt16? = nil, interface: Int? = nil, mark: UInt32
    ) {
        self.source = source
        self.sourceLength = sourceLength
        self.destination = destination
        self.destinationLength = destinationLength
        self.transportProtocol = transportProtocol
        self.destinationPort = destinationPort
        self.interface = interface
        self.mark = mark
    }

    func matches(_ key: FlowKey, interface ingress: Int) -> Bool {
        if let source, source.isV4 != key.source.isV4 || key.source.masked(sourceLength) != source { return false }
        if let destination,
            destination.isV4 != key.destination.isV4 || key.destination.masked(destinationLength) != destination
        {
            return false
        }
        if let transportProtocol, transportProtocol != key.transportProtocol { return false }
        if let destinationPort, destinationPort != key.destinationPort { return false }
        if let interface, interface != ingress { return false }
        return true
    }
}

/// The ordered marks table: the last rule that matches gives the mark, as successive nft rules that set it would.
public struct MarkRules {
    /// Most rules.
    public static var capacity: Int { 16 }
    private var rules: InlineArray<16, MarkRule>
    /// Rules in use.
    public private(set) var count = 0

    /// No rules.
    public init() { rules = InlineArray(repeating: MarkRule(mark: 0)) }

    /// Add a rule behind the others. False when the table is full.
    public mutating func append(_ rule: MarkRule) -> Bool {
        guard count < Self.capacity else { return false }
        rules[count] = rule
        count += 1
        return true
    }

    /// The mark of a packet; 0: none.
    func mark(_ key: FlowKey, interface: Int) -> UInt32 {
        var mark: UInt32 = 0
        for place in 0..<count where rules[place].matches(key, interface: interface) { mark = rules[place].mark }
        return mark
    }
}

extension Director {
    /// Add a rule that marks packets. Before or between batches. False when there is no room.
    public mutating func add(mark rule: MarkRule) -> Bool {
        hasMarks = true
        return marks.append(rule)
    }
}
