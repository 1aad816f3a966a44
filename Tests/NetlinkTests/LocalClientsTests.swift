import Balancer
import Netlink
import Testing
import Wire

@Suite(.enabled(if: mayMakeNamespaces, Comment(rawValue: namespaceReason)), .serialized)
struct LocalClientsTests {
    /// A host with an interface and a device for local clients; nil where there are no TUN devices.
    private func host() throws -> TestNamespace? {
        let host = try TestNamespace()
        try host.run("ip link add eth0 type veth peer name peer0")
        try host.run("ip addr add 10.0.0.1/24 dev eth0")
        for name in ["eth0", "peer0"] { try host.run("ip link set \(name) up") }
        guard (try? host.run("ip tuntap add dev tun0 mode tun")) != nil else { return nil }
        try host.run("ip link set tun0 up")
        return host
    }

    @Test func routesLeadThereWithASourceOfTheDevice() throws {
        guard let host = try host() else { return }
        defer { host.close() }
        let clients = try host.perform { try LocalClients(device: "tun0") }
        // Answers of real servers on the host itself, whatever else is led there.
        for source in LocalClients.serverSources {
            #expect(try host.run("ip route get \(source)").contains("dev tun0"))
        }
        let v4 = try #require(IPAddress("203.0.113.80"))
        let v6 = try #require(IPAddress("2001:db8:80::80"))
        try clients.lead([v4, v6])
        #expect(try host.run("ip route get 203.0.113.80").contains("dev tun0 src 192.0.0.6"))
        #expect(try host.run("ip -6 route get 2001:db8:80::80").contains("dev tun0"))
        #expect(try host.run("ip -6 route get 2001:db8:80::80").contains("src fd66:6169:726c:6561::1"))
        try clients.lead(adding: [IPAddress(v4: 0xcb00_7151)])
        #expect(try host.run("ip route").contains("203.0.113.81 dev tun0"))
        try clients.lead([v4])
        let left = try host.run("ip route")
        #expect(left.contains("203.0.113.80 dev tun0") && !left.contains("203.0.113.81"))
        // More than one request takes.
        let many = Set((0..<1700).map { IPAddress(v4: 0xc612_0000 + UInt32($0)) })
        try clients.lead(many)
        #expect(try host.run("ip route").split(separator: "\n").count { $0.contains("dev tun0") } == many.count + 1)
        try clients.lead([])
        #expect(try host.run("ip route").split(separator: "\n").filter { $0.contains("tun0") }.count == 1)
    }

    /// A route that is there already is somebody's, and stays.
    @Test func anothersRouteStays() throws {
        guard let host = try host() else { return }
        defer { host.close() }
        try host.run("ip route add 203.0.113.80 dev eth0 scope link")
        let clients = try host.perform { try LocalClients(device: "tun0") }
        #expect(throws: NetlinkError.self) {
            try clients.lead([IPAddress(v4: 0xcb00_7150), IPAddress(v4: 0xcb00_7151)])
        }
        let routes = try host.run("ip route")
        #expect(routes.contains("203.0.113.80 dev eth0") && routes.contains("203.0.113.81 dev tun0"))
    }

    /// To the director, the device is an interface with a client behind it.
    @Test func theirAddressesAreNotTheHostsOwn() throws {
        guard let host = try host() else { return }
        defer { host.close() }
        let clients = try host.perform { try LocalClients(device: "tun0") }
        let virtual = try #require(IPAddress("203.0.113.80"))
        try clients.lead([virtual])
        let snapshot = try host.perform { try RoutingMonitor(interfaces: ["eth0"], localClients: "tun0").snapshot }
        for source in LocalClients.sources {
            #expect(!snapshot.isLocal(source))
            let route = snapshot.route(to: source)
            #expect(route.isUsable && route.interface == 1 && route.nextHop == source)
            #expect(snapshot.neighbor(interface: 1, address: source).isUsable)
        }
        #expect(snapshot.interfaces.map(\.name) == ["eth0", "tun0"] && snapshot.interfaces[1].mtu == 1500)
        #expect(!snapshot.route(to: virtual).isUsable, "the director's own packets go where they went before")
        #expect(snapshot.hostAddresses.contains(IPAddress(v4: 0x0a00_0001)))
        withExtendedLifetime(clients) {}
    }
}
