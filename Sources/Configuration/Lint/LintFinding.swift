public import Balancer
import Wire

/// Something in a file that will not work, or not as whoever wrote it will have meant it.
public struct LintFinding: Hashable, Sendable, Codable {
    /// How bad it is.
    public enum Severity: String, Hashable, Sendable, Codable {
        /// `apply` refuses the file.
        case error
        /// It is allowed, and likely a mistake.
        case warning
    }

    /// What was looked at; the raw value is its name in output.
    public enum Check: String, Hashable, Sendable, Codable, CaseIterable {
        /// The same service, or the same destination of a service, twice.
        case duplicate
        /// Direct routing or a tunnel to another port, which neither can do.
        case portChange = "port-change"
        /// A service whose destinations all have weight 0, or that has none.
        case noWeight = "no-weight"
        /// A way to a real server on which wrapped or longer packets do not fit.
        case shortMTU = "short-mtu"
        /// Persistence together with a scheduler that hashes the client's address.
        case persistenceAndHash = "persistence-and-hash"
        /// A pool with fewer local ports than connections are expected.
        case smallPool = "small-pool"
        /// A virtual address on no attached network.
        case unattachedAddress = "unattached-address"
        /// A mark that no service has.
        case unusedMark = "unused-mark"
        /// A mark rule for an interface that is none of the director's.
        case unknownInterface = "unknown-interface"
    }

    /// How bad it is.
    public var severity: Severity
    /// What was looked at.
    public var check: Check
    /// The line in the file, from 1.
    public var line: Int
    /// The service, as `TCP 198.51.100.80:80`.
    public var subject: String
    /// What is wrong.
    public var reason: String
    /// What would be right.
    public var fix: String

    /// `line 12: warning: no-weight: TCP 198.51.100.80:80: reason. Fix: fix.`
    public var text: String {
        "line \(line): \(severity.rawValue): \(check.rawValue): \(subject): \(reason). Fix: \(fix)."
    }
}

/// What `lint` knows of the networks around the director.
public struct LintNetwork: Hashable, Sendable {
    /// An interface.
    public struct Interface: Hashable, Sendable {
        /// Its name.
        public var name: String
        /// Largest IP packet in bytes; nil: unknown.
        public var mtu: Int?
        /// Networks attached to it; nil: unknown.
        public var networks: [InterfaceAddress]?

        /// From its parts.
        public init(name: String, mtu: Int? = nil, networks: [InterfaceAddress]? = nil) {
            self.name = name
            self.mtu = mtu
            self.networks = networks
        }
    }

    /// The interfaces of the file, and what is known of them.
    public var interfaces: [Interface]

    /// What a file says of its interfaces, and for what it leaves open what the host says (nil: there is no such
    /// interface here).
    public init(_ file: ConfigurationFile, host: (_ name: String) -> Interface?) {
        interfaces = file.interfaces.map { written in
            let found = written.mtu == nil || written.networks == nil ? host(written.name) : nil
            return Interface(
                name: written.name, mtu: written.mtu ?? found?.mtu, networks: written.networks ?? found?.networks)
        }
    }

    /// Where an address is reached: the interface whose network holds it, the longest prefix first.
    func interface(of address: IPAddress) -> Interface? {
        var best: (interface: Interface, length: Int)?
        for interface in interfaces {
            for network in interface.networks ?? [] where network.contains(address) {
                if best.map({ network.prefixLength > $0.length }) ?? true {
                    best = (interface, network.prefixLength)
                }
            }
        }
        return best?.interface
    }
}
