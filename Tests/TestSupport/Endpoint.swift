public import Wire

/// An address and a port, written `198.51.100.1:40000` or `[2001:db8::1]:40000`; without a port, the port is 0.
public struct Endpoint: Hashable, Sendable {
    /// The address.
    public var address: IPAddress
    /// The port.
    public var port: UInt16

    /// From its parts.
    public init(_ address: IPAddress, _ port: UInt16 = 0) {
        self.address = address
        self.port = port
    }

    /// From text; nil when it is not an endpoint.
    public init?(parsing text: String) {
        if let address = IPAddress(text) {
            self.init(address)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard let address = IPAddress(parsing: host) else { return nil }
        self.init(address, port)
    }
}

extension Endpoint: ExpressibleByStringLiteral {
    /// From a literal, which must be an endpoint.
    public init(stringLiteral text: String) {
        guard let endpoint = Endpoint(parsing: text) else { preconditionFailure("not an endpoint: \(text)") }
        self = endpoint
    }
}

extension Endpoint: CustomStringConvertible {
    /// As it is written.
    public var description: String { address.isV4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}

extension IPAddress {
    /// An address that is one.
    public static func parse(_ text: String) -> IPAddress { Endpoint(stringLiteral: text).address }
    /// The 4 or 16 bytes on the wire.
    public var wireBytes: [UInt8] { isV4 ? v4.networkBytes : high.networkBytes + low.networkBytes }
}

extension MACAddress {
    /// The 6 bytes on the wire.
    public var wireBytes: [UInt8] { Array(bits.networkBytes.dropFirst(2)) }
}
