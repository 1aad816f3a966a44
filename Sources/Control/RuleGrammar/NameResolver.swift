public import Wire

/// Turns host and service names into numbers and back. Any thread; may wait for the network, so no lock may be held.
public protocol NameResolver: Sendable {
    /// The IPv4 address of a host; nil when there is none (ipvsadm resolves names to IPv4 only).
    func address(ofHost name: String) -> IPAddress?
    /// The port of a service name (`http`) under a protocol (`IPProtocol`).
    func port(ofService name: String, transportProtocol: UInt8) -> UInt16?
    /// The name of a host.
    func host(at address: IPAddress) -> String?
    /// The service name of a port under a protocol.
    func service(at port: UInt16, transportProtocol: UInt8) -> String?
}

/// A resolver that knows only what it was given: for replays and tests, which must not depend on the machine.
public struct FixedResolver: NameResolver {
    private let hosts: [String: IPAddress]
    private let ports: [UInt8: [String: UInt16]]

    /// From hosts by name and services by name, the latter known to TCP, UDP and SCTP as given.
    public init(hosts: [String: IPAddress] = [:], tcp: [String: UInt16] = [:], udp: [String: UInt16] = [:]) {
        self.hosts = hosts
        ports = [IPProtocol.tcp: tcp, IPProtocol.udp: udp]
    }

    /// `localhost` and the best-known services of the IANA registry.
    public static let wellKnown = FixedResolver(
        hosts: ["localhost": IPAddress(v4: 0x7f00_0001)],
        tcp: [
            "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "http": 80, "pop3": 110, "imap2": 143,
            "ldap": 389, "https": 443, "submission": 587, "ldaps": 636, "imaps": 993, "pop3s": 995, "http-alt": 8080,
            "mysql": 3306,
            "postgresql": 5432,
        ],
        udp: [
            "domain": 53, "bootps": 67, "bootpc": 68, "tftp": 69, "ntp": 123, "snmp": 161, "https": 443,
            "syslog": 514, "radius": 1812,
        ])

    /// The host's IPv4 address.
    public func address(ofHost name: String) -> IPAddress? { hosts[name.lowercased()] }

    /// The service's port.
    public func port(ofService name: String, transportProtocol: UInt8) -> UInt16? {
        ports[transportProtocol]?[name]
    }

    /// The host's name.
    public func host(at address: IPAddress) -> String? {
        hosts.filter { $0.value == address }.keys.min()
    }

    /// The service's name.
    public func service(at port: UInt16, transportProtocol: UInt8) -> String? {
        ports[transportProtocol]?.filter { $0.value == port }.keys.min()
    }
}
