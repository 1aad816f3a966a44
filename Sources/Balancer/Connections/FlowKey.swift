public import Wire

/// The secret that the connection table's hash is keyed with, so that nobody outside can choose keys that collide.
public struct HashSecret: Sendable, BitwiseCopyable {
    @usableFromInline let first: UInt64
    @usableFromInline let second: UInt64

    /// From 128 random bits.
    public init(_ first: UInt64, _ second: UInt64) {
        self.first = first | 1
        self.second = second | 1
    }
}

/// A packet's addresses, ports and protocol, seen from its sender; 40 bytes.
///
/// A request is looked up as client -> virtual, a reply as destination -> client (FULLNAT: destination -> local).
public struct FlowKey: Hashable, Sendable, BitwiseCopyable {
    /// Who sent it.
    public var source: IPAddress
    /// Whom it is for.
    public var destination: IPAddress
    /// The sender's port.
    public var sourcePort: UInt16
    /// The receiver's port.
    public var destinationPort: UInt16
    /// An `IPProtocol`.
    public var transportProtocol: UInt8
    /// Set for persistence templates, which no packet matches.
    public var isTemplate: Bool

    /// From its parts, ports in host order.
    @inlinable @inline(__always)
    public init(
        source: IPAddress, destination: IPAddress, sourcePort: UInt16, destinationPort: UInt16,
        transportProtocol: UInt8, isTemplate: Bool = false
    ) {
        self.source = source
        self.destination = destination
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.transportProtocol = transportProtocol
        self.isTemplate = isTemplate
    }

    /// The same flow seen from its receiver.
    @inlinable @inline(__always)
    public var reversed: FlowKey {
        FlowKey(
            source: destination, destination: source, sourcePort: destinationPort, destinationPort: sourcePort,
            transportProtocol: transportProtocol, isTemplate: isTemplate)
    }

    /// A keyed hash: folded 64 x 64 -> 128 bit multiplications over all words, as in wyhash.
    @inlinable @inline(__always)
    public func hash(_ secret: HashSecret) -> UInt64 {
        let ports =
            UInt64(sourcePort) << 48 | UInt64(destinationPort) << 32 | UInt64(transportProtocol) << 8
            | (isTemplate ? 1 : 0)
        var mixed: UInt64
        if source.high | destination.high == 0 {
            mixed = (source.low &<< 32 | destination.low & 0xffff_ffff) ^ secret.first
        } else {
            mixed = Self.multiply(source.high ^ secret.first, source.low ^ secret.second)
            mixed ^= Self.multiply(destination.high ^ secret.second, destination.low ^ secret.first &<< 1)
        }
        return Self.multiply(Self.multiply(mixed, ports ^ secret.second) ^ secret.first, secret.second ^ mixed)
    }

    @inlinable @inline(__always)
    static func multiply(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
