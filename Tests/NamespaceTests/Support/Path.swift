import Foundation

/// One way through a director: forwarding method, and the address families on its two sides.
struct Path: Sendable, CustomStringConvertible {
    enum Family: String, Sendable { case v4 = "IPv4", v6 = "IPv6" }

    enum Method: String, Sendable {
        case nat = "NAT", dr = "DR", ipip = "IPIP", gue = "GUE", gre = "GRE", fullNAT = "FULLNAT"
    }

    let method: Method
    let client: Family
    let server: Family

    /// - Parameter server: the servers' family, where it is not the client's.
    init(_ method: Method, _ client: Family, server: Family? = nil) {
        self.method = method
        self.client = client
        self.server = server ?? client
    }

    var description: String {
        "\(method.rawValue) \(client.rawValue)\(client == server ? "" : " to \(server.rawValue)")"
    }

    /// Replies pass the director.
    var returnsThroughDirector: Bool { method == .nat || method == .fullNAT }
    var isTunnel: Bool { method == .ipip || method == .gue || method == .gre }

    /// Bytes that the director puts before each packet.
    var overhead: Int {
        let outer = server == .v4 ? 20 : 40
        switch method {
        case .nat, .dr: return 0
        case .ipip: return outer
        case .gue: return outer + 12
        case .gre: return outer + 8
        // NAT64: an IPv6 header becomes an IPv4 header.
        case .fullNAT: return client == .v6 && server == .v4 ? -20 : 0
        }
    }

    // MARK: The lab

    var labOptions: [String] {
        let kind =
            switch method {
            case .nat: "nat"
            case .dr: "dr"
            case .ipip, .gue, .gre: "ipip"
            case .fullNAT: "fullnat"
            }
        return ["--method", kind, "--family", client == .v6 || server == .v6 ? "6" : "4"]
    }

    static func address(_ family: Family, _ network: Int, _ host: Int) -> String {
        family == .v4 ? "198.18.\(network).\(host)" : "2001:db8:\(network)::\(host)"
    }

    /// The virtual address by which requests come in by one interface and leave by the other.
    var twoArmed: String { Self.address(client, 10, 80) }
    /// The one by which they leave where they came in.
    var oneArmed: String { Self.address(client, 11, 80) }
    /// FULLNAT's pool.
    var localAddresses: [String] { (201...202).map { Self.address(server, 2, $0) } }
    /// The client's address for the one-armed way.
    var oneArmedClient: String { Self.address(client, 3, 10) }

    /// curl takes the brackets of an address for a range of numbers, unless they are escaped.
    func url(_ address: String) -> String {
        address.contains(":") ? "http://\\[\(address)\\]/" : "http://\(address)/"
    }

    // MARK: Rules

    private func bracketed(_ address: String) -> String { address.contains(":") ? "[\(address)]" : address }

    private func server(_ number: Int, _ port: Int) -> String {
        "\(bracketed(Self.address(server, 2, 10 + number))):\(port)"
    }

    private var option: String {
        switch method {
        case .nat: "-m"
        case .dr: "-g"
        case .ipip: "-i"
        case .gue: "-i --tun-type gue --tun-port 6080 --tun-nocsum"
        case .gre: "-i --tun-type gre --tun-csum"
        case .fullNAT: "--fullnat"
        }
    }

    /// Web servers (80) and name servers (53) and one that counts datagrams (7777) on all three, iperf3 (5201) on the second;
    /// for both virtual addresses.
    var rules: String {
        var lines: [String] = []
        for virtual in [twoArmed, oneArmed] {
            for (kind, port, servers) in [
                ("-t", 80, 1...3), ("-u", 53, 1...3), ("-u", 7777, 1...3), ("-t", 5201, 2...2),
            ] {
                let service = "\(kind) \(bracketed(virtual)):\(port)"
                lines.append("-A \(service) -s rr")
                if method == .fullNAT {
                    lines += localAddresses.map { "--add-laddr \(service) -z \($0)" }
                }
                lines += servers.map { "-a \(service) -r \(server($0, port)) \(option)" }
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }
}
