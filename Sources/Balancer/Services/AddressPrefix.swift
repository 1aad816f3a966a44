public import Wire

/// A prefix of addresses, as `10.100.0.0/16` or `2001:db8::/48` writes it; the bits behind the prefix are zero.
public struct AddressPrefix: Hashable, Sendable, BitwiseCopyable {
    /// The first address.
    public let address: IPAddress
    /// Bits that count: 0 to 32 or 128.
    public let length: Int

    /// The prefix of this length that an address lies in; nil when the family has no such length.
    public init?(_ address: IPAddress, length: Int) {
        guard (0...address.family.bits).contains(length) else { return nil }
        self.address = address.masked(length)
        self.length = length
    }

    /// Whether an address lies in it. One of the other family never does.
    @inlinable @inline(__always)
    public func contains(_ other: IPAddress) -> Bool {
        other.isV4 == address.isV4 && other.masked(length) == address
    }
}

extension AddressPrefix: CustomStringConvertible, LosslessStringConvertible {
    /// From `ADDRESS/LENGTH`; bits set behind the prefix are dropped. Nil for anything else.
    public init?(_ text: String) {
        guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")),
            let address = IPAddress(parsing: text[..<slash])
        else { return nil }
        let digits = text[text.index(after: slash)...]
        guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48...57).contains($0) }),
            let length = Int(digits)
        else { return nil }
        self.init(address, length: length)
    }

    /// `ADDRESS/LENGTH`.
    public var description: String { "\(address)/\(length)" }
}
