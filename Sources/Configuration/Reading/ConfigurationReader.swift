import Balancer
import Wire
import Yams

extension ConfigurationFile {
    /// Read the text of a `fairlead.yaml`.
    ///
    /// - Throws: everything that is wrong with it, each with its line.
    public init(yaml text: String) throws(ConfigurationError) {
        try self.init(yaml: text, isSaved: false)
    }

    /// Read rules that `ConfigurationText` wrote: rules that were in force are taken as they are, also where a file
    /// written by hand would be refused.
    public init(saved text: String) throws(ConfigurationError) {
        try self.init(yaml: text, isSaved: true)
    }

    private init(yaml text: String, isSaved: Bool) throws(ConfigurationError) {
        var reader = ConfigurationReader(isSaved: isSaved)
        guard let root = try YAMLDocument.root(text) else {
            throw ConfigurationError([
                ConfigurationProblem(line: 0, message: "empty: a file without services says \"services: []\"")
            ])
        }
        let file = reader.file(root)
        guard reader.document.problems.isEmpty else { throw ConfigurationError(reader.document.problems) }
        self = file
    }

    /// The keys of a file, as they may be written.
    public static var keys: [String] { ConfigurationReader.topKeys }
}

/// Makes a `ConfigurationFile` of a YAML document's parts.
struct ConfigurationReader {
    static let topKeys = ["interfaces", "workers", "connections", "timeouts", "settings", "marks", "pools", "services"]
    static let interfaceKeys = ["name", "mtu", "io", "networks"]
    /// As `PortChoice` in PacketIO has them.
    static let ioKinds = ["auto", "packet", "packet-mmap", "packet-mmsg", "xdp", "xdp-generic", "pcap"]
    static let timeoutKeys = ["tcp", "tcp_fin", "udp"]

    /// Whether the text was written by `ConfigurationText`.
    let isSaved: Bool
    var document = YAMLDocument()
    /// Local addresses by the name of their pool.
    var pools: [String: [IPAddress]] = [:]

    init(isSaved: Bool) { self.isSaved = isSaved }

    mutating func file(_ root: Node) -> ConfigurationFile {
        let fields = document.fields(root, of: "the file", known: Self.topKeys)
        if let node = fields["pools"] { readPools(node) }
        var file = ConfigurationFile(
            interfaces: fields["interfaces"].map { interfaces($0) } ?? [],
            workers: fields["workers"].flatMap { document.number($0, "workers", 1...64) },
            connections: fields["connections"].flatMap { document.number($0, "connections", 64...1 << 27) },
            timeouts: fields["timeouts"].map { timeouts($0) },
            settings: fields["settings"].map { settings($0) } ?? [:],
            marks: fields["marks"].map { marks($0) } ?? [], services: [])
        guard let services = fields["services"] else {
            document.reject(root, "services is missing; a file without any says \"services: []\"")
            return file
        }
        file.services = document.list(services, "services").compactMap { service($0) }
        return file
    }

    // MARK: Interfaces, pools

    private mutating func interfaces(_ node: Node) -> [ConfigurationFile.Interface] {
        var known: Set<String> = []
        return document.list(node, "interfaces").compactMap { part in
            guard let interface = interface(part) else { return nil }
            guard known.insert(interface.name).inserted else {
                document.reject(part, "interface \(interface.name) is given twice")
                return nil
            }
            return interface
        }
    }

    private mutating func interface(_ node: Node) -> ConfigurationFile.Interface? {
        let line = node.mark?.line ?? 0
        guard node.mapping != nil else {
            return document.text(node, "an interface").map { ConfigurationFile.Interface(name: $0, line: line) }
        }
        let fields = document.fields(node, of: "an interface", known: Self.interfaceKeys)
        guard let name = fields["name"] else {
            document.reject(node, "an interface needs a name")
            return nil
        }
        guard let name = document.text(name, "an interface's name") else { return nil }
        return ConfigurationFile.Interface(
            name: name, mtu: fields["mtu"].flatMap { document.number($0, "mtu", 68...65535) },
            io: fields["io"].flatMap { io($0) },
            networks: fields["networks"].map { networks($0) }, line: line)
    }

    private mutating func io(_ node: Node) -> String? {
        guard let kind = document.text(node, "io") else { return nil }
        guard Self.ioKinds.contains(kind) else {
            document.reject(node, "io \"\(kind)\" is not known; it is one of \(Self.ioKinds.joined(separator: ", "))")
            return nil
        }
        return kind
    }

    private mutating func networks(_ node: Node) -> [InterfaceAddress] {
        document.list(node, "networks").compactMap { part in
            guard let text = document.text(part, "a network") else { return nil }
            guard let network = InterfaceAddress(text) else {
                document.reject(part, "\"\(text)\" is no network; one is written 198.51.100.0/24 or 2001:db8::/64")
                return nil
            }
            return network
        }
    }

    private mutating func readPools(_ node: Node) {
        guard let mapping = node.mapping else {
            return document.reject(node, "pools must be a mapping of names to lists of addresses")
        }
        for (key, value) in mapping {
            guard let name = document.text(key, "a pool's name") else { continue }
            pools[name] = addresses(value, "pool \(name)")
        }
    }

    /// A list of addresses; none twice.
    mutating func addresses(_ node: Node, _ what: String) -> [IPAddress] {
        var addresses: [IPAddress] = []
        for part in document.list(node, what) {
            guard let text = document.text(part, "an address of \(what)") else { continue }
            guard let address = IPAddress(text) else {
                document.reject(part, "\"\(text)\" is no address; one is written 198.51.100.1 or 2001:db8::1")
                continue
            }
            if addresses.contains(address) {
                document.reject(part, "\(address) is in \(what) twice")
            } else {
                addresses.append(address)
            }
        }
        return addresses
    }

    // MARK: Timeouts and settings

    private mutating func timeouts(_ node: Node) -> Timeouts {
        let fields = document.fields(node, of: "timeouts", known: Self.timeoutKeys)
        var timeouts = Timeouts()
        func seconds(_ key: String) -> UInt32? {
            fields[key].flatMap { document.number($0, "timeout \(key)", 1...Self.longestTimeout) }.map { UInt32($0) }
        }
        if let tcp = seconds("tcp") { timeouts.tcp = tcp }
        if let tcpFin = seconds("tcp_fin") { timeouts.tcpFin = tcpFin }
        if let udp = seconds("udp") { timeouts.udp = udp }
        return timeouts
    }

    /// ipvsadm's limit, 31 days in seconds.
    static let longestTimeout = 31 * 24 * 60 * 60

    private mutating func settings(_ node: Node) -> [Setting: Int32] {
        let fields = document.fields(node, of: "settings", known: Setting.allCases.map(\.name))
        var settings: [Setting: Int32] = [:]
        for (name, value) in fields {
            guard let setting = Setting(name: name),
                let number = document.number(value, "setting \(name)", 0...Int(Int32.max))
            else { continue }
            settings[setting] = Int32(number)
        }
        return settings
    }
}
