import Wire

/// A service's or real server's address as it was written: `host`, `host:port`, `[v6]:port` or a bare IPv6 address.
///
/// As in ipvsadm, brackets want a colon behind them, and a port behind bracketed IPv4 is lost. An IPv4-mapped IPv6
/// address is refused: no packet may carry one (RFC 4291 §2.5.5.2).
struct ServiceAddress {
    /// The address.
    var address: IPAddress
    /// The port; nil when none was written.
    var port: UInt16?

    /// Read an address; nil when it is none. The protocol tells which service names there are.
    init?(_ text: String, transportProtocol: UInt8, resolver: any NameResolver) {
        guard !RuleNumber.isDigits(text) else { return nil }
        var host = Substring(text)
        var portText: Substring?
        let isBracketed = host.hasPrefix("[")
        if isBracketed {
            guard let end = host.firstIndex(of: "]") else { return nil }
            let rest = host[host.index(after: end)...]
            guard rest.hasPrefix(":") else { return nil }
            portText = rest.dropFirst()
            host = host[..<end].dropFirst()
        }
        if host.contains(":"), let address = IPAddress(parsing: host) {
            guard !address.isV4 else { return nil }
            self.address = address
        } else {
            portText = nil
            if let colon = host.lastIndex(of: ":") {
                portText = host[host.index(after: colon)...]
                host = host[..<colon]
            }
            guard let address = Self.v4(host, resolver: resolver) else { return nil }
            self.address = address
        }
        guard let portText else { return }
        if let number = RuleNumber.number(String(portText), in: 0...65535) {
            port = UInt16(number)
        } else if let named = resolver.port(ofService: String(portText), transportProtocol: transportProtocol) {
            port = named
        } else {
            return nil
        }
    }

    /// A number in any form of `inet_aton(3)`, blanks behind it allowed, or a host's name.
    private static func v4(_ host: Substring, resolver: any NameResolver) -> IPAddress? {
        let number = host.prefix { !$0.isWhitespace }
        if host[number.endIndex...].allSatisfy(\.isWhitespace), let address = RuleNumber.internetAddress(number) {
            return IPAddress(v4: address)
        }
        return host.isEmpty ? nil : resolver.address(ofHost: String(host))
    }
}
