import Balancer
import Glibc
import Netlink
import Testing
import Wire

/// Client, director and server in a row, as on the bed of the recordings; the director has the virtual addresses on lo.
private final class Bed {
    let client: TestNamespace
    let director: TestNamespace
    let server: TestNamespace

    init(forwards: Bool = false) throws {
        client = try TestNamespace()
        director = try TestNamespace()
        server = try TestNamespace()
        try director.connect("eth0", "10.1.0.1/24", to: client, "eth0", "10.1.0.2/24")
        try director.connect("eth1", "10.2.0.1/24", to: server, "eth0", "10.2.0.11/24")
        for (namespace, name, address) in [
            (director, "eth0", "2001:db8:1::1/64"), (client, "eth0", "2001:db8:1::2/64"),
            (director, "eth1", "2001:db8:2::1/64"), (server, "eth0", "2001:db8:2::11/64"),
        ] {
            try namespace.run("ip addr add \(address) dev \(name) nodad")
        }
        for (namespace, number) in [(client, 1), (server, 2)] {
            try namespace.run("ip route add default via 10.\(number).0.1")
            try namespace.run("ip route add default via 2001:db8:\(number)::1")
        }
        try director.run("ip addr add 203.0.113.80/32 dev lo")
        try director.run("ip addr add 2001:db8:80::80/128 dev lo nodad")
        try director.run(
            "sysctl -qw net.ipv4.ip_forward=\(forwards ? 1 : 0) net.ipv6.conf.all.forwarding=\(forwards ? 1 : 0)")
        for address in ["10.1.0.1", "2001:db8:1::1"] { try client.run("ping -c 1 -W 5 \(address)") }
        for address in ["10.2.0.1", "2001:db8:2::1"] { try server.run("ping -c 1 -W 5 \(address)") }
    }

    deinit {
        for namespace in [client, director, server] { namespace.close() }
    }

    func makeGuard(asksRoutes: Bool? = nil) throws -> Guard {
        try director.perform { try Guard(interfaces: ["eth0", "eth1"], asksRoutes: asksRoutes) }
    }

    /// Try a TCP connection: `connected`, `refused` or `silent`.
    func connect(from namespace: TestNamespace, to address: String, _ port: Int) throws -> String {
        let any = address.contains(":") ? "::" : "0.0.0.0"
        return try namespace.perform { try TestSocket(SOCK_STREAM, boundTo: any, 0).connect(address, port) }
    }

    /// Take TCP connections as long as the socket lives.
    func listen(in namespace: TestNamespace, _ address: String, _ port: Int) throws -> TestSocket {
        try namespace.perform {
            let socket = try TestSocket(SOCK_STREAM, boundTo: address, port)
            socket.listen()
            return socket
        }
    }

    /// Whether a datagram of `size` bytes from one namespace reaches port 7000 in another.
    func datagram(
        from sender: TestNamespace, _ source: String, _ port: Int, to receiver: TestNamespace, _ destination: String,
        size: Int = 10
    ) throws -> Bool {
        let receiving = try receiver.perform { try TestSocket(SOCK_DGRAM, boundTo: destination, 7000) }
        try sender.perform {
            try TestSocket(SOCK_DGRAM, boundTo: source, port).send(size: size, to: destination, 7000)
        }
        return receiving.receive() == size
    }
}

@Suite(.enabled(if: mayMakeNamespaces, Comment(rawValue: namespaceReason)), .serialized)
struct GuardTests {
    private func endpoint(_ transport: UInt8, _ address: String, _ port: UInt16) throws -> GuardedEndpoint {
        GuardedEndpoint(transportProtocol: transport, address: try #require(IPAddress(address)), port: port)
    }

    @Test(arguments: ["203.0.113.80", "2001:db8:80::80"], [false, true])
    func aServiceIsSilentAndItsAddressIsNot(address: String, forwards: Bool) throws {
        let bed = try Bed(forwards: forwards)
        let listener = try bed.listen(in: bed.director, address, 2222)
        #expect(try bed.connect(from: bed.client, to: address, 80) == "refused")
        let kept = try bed.makeGuard()
        #expect(try bed.connect(from: bed.client, to: address, 80) == "refused")
        try kept.update(GuardedTraffic(services: [try endpoint(IPProtocol.tcp, address, 80)]))
        #expect(try bed.connect(from: bed.client, to: address, 80) == "silent")
        #expect(try bed.connect(from: bed.client, to: address, 81) == "refused")
        #expect(try bed.connect(from: bed.client, to: address, 2222) == "connected")
        try bed.client.run("ping -c 1 -W 5 \(address)")
        try kept.include(GuardedTraffic(services: [try endpoint(IPProtocol.tcp, address, 82)]))
        #expect(try bed.connect(from: bed.client, to: address, 80) == "silent")
        #expect(try bed.connect(from: bed.client, to: address, 82) == "silent")
        try kept.update(GuardedTraffic(services: [try endpoint(0, address, 81)]))
        #expect(try bed.connect(from: bed.client, to: address, 82) == "refused")
        #expect(try bed.connect(from: bed.client, to: address, 80) == "refused")
        #expect(try bed.connect(from: bed.client, to: address, 81) == "silent")
        try kept.update(GuardedTraffic(services: [try endpoint(IPProtocol.tcp, address, 0)]))
        #expect(try bed.connect(from: bed.client, to: address, 2222) == "silent")
        kept.close()
        // The kernel removes the table a moment later.
        let after = try eventually { try bed.connect(from: bed.client, to: address, 80) == "refused" ? true : nil }
        #expect(after == true)
        withExtendedLifetime(listener) {}
    }

    @Test(
        arguments: [true, false],
        [("10.2.0.11", "10.1.0.2", "10.2.0.1"), ("2001:db8:2::11", "2001:db8:1::2", "2001:db8:2::1")])
    func aStrayPacketOfAServerIsNotForwarded(asksRoutes: Bool, addresses: (String, String, String)) throws {
        let (server, client, host) = addresses
        let bed = try Bed(forwards: true)
        func reaches(_ port: Int, size: Int = 10) throws -> Bool {
            try bed.datagram(from: bed.server, server, port, to: bed.client, client, size: size)
        }
        #expect(try reaches(9000))
        #expect(try reaches(9000, size: 3000))
        let kept = try bed.makeGuard(asksRoutes: asksRoutes)
        #expect(kept.asksRoutes == asksRoutes)
        let snapshot = try bed.director.perform { try RoutingMonitor(interfaces: ["eth0", "eth1"]).snapshot }
        try kept.update(
            GuardedTraffic(
                servers: [try endpoint(IPProtocol.udp, server, 9000), try endpoint(IPProtocol.tcp, server, 8080)],
                hostAddresses: Set(snapshot.hostAddresses)))
        #expect(try !reaches(9000))
        #expect(try !reaches(9000, size: 3000))
        #expect(try reaches(9001))
        // Addressed to the host itself, it is the host's.
        #expect(try bed.datagram(from: bed.server, server, 9000, to: bed.director, host))
        #expect(try bed.datagram(from: bed.server, server, 9000, to: bed.director, host, size: 3000))
        let listener = try bed.listen(in: bed.server, server, 8080)
        #expect(try bed.connect(from: bed.director, to: server, 8080) == "connected")
        #expect(try bed.connect(from: bed.client, to: server, 8080) == "silent")
        withExtendedLifetime(listener) {}
    }

    /// The last rule that matches decides; what is marked for no service is the host's.
    @Test(arguments: ["203.0.113.80", "2001:db8:80::80"])
    func markedPacketsAreSilent(address: String) throws {
        let bed = try Bed()
        let virtual = try #require(IPAddress(address))
        func rule(_ port: UInt16?, isOurs: Bool, interface: Int? = nil, length: Int? = nil) -> GuardedMark {
            let length = length ?? virtual.family.bits
            return GuardedMark(
                rule: MarkRule(
                    destination: virtual.masked(length), destinationLength: length,
                    transportProtocol: port == nil ? nil : IPProtocol.tcp, destinationPort: port, interface: interface,
                    mark: isOurs ? 5 : 6), isOurs: isOurs)
        }
        func answers(_ marked: [GuardedMark], _ kept: Guard) throws -> [String] {
            try kept.update(GuardedTraffic(marked: marked))
            return try [80, 81].map { try bed.connect(from: bed.client, to: address, $0) }
        }
        let kept = try bed.makeGuard()
        #expect(try answers([rule(80, isOurs: true)], kept) == ["silent", "refused"])
        #expect(
            try answers([rule(80, isOurs: true), rule(nil, isOurs: true, length: 24)], kept) == ["silent", "silent"])
        #expect(
            try answers([rule(nil, isOurs: true, length: 24), rule(80, isOurs: false)], kept) == ["refused", "silent"])
        #expect(
            try answers([rule(80, isOurs: true, interface: 1), rule(81, isOurs: true, interface: 0)], kept)
                == ["refused", "silent"])
        #expect(try answers([], kept) == ["refused", "refused"])
        let source = address.contains(":") ? "2001:db8:1::2" : "10.1.0.2"
        let datagrams = MarkRule(
            source: IPAddress(source), destination: virtual, transportProtocol: IPProtocol.udp,
            sourcePort: 9000, destinationPort: 7000, mark: 5)
        func reaches(_ port: Int, size: Int) throws -> Bool {
            try bed.datagram(from: bed.client, source, port, to: bed.director, address, size: size)
        }
        try kept.update(GuardedTraffic(marked: [GuardedMark(rule: datagrams, isOurs: true)]))
        #expect(try !reaches(9000, size: 10))
        #expect(try !reaches(9000, size: 3000))
        #expect(try reaches(9001, size: 10))
    }

    @Test func theDirectorsOwnCurl() throws {
        let bed = try Bed()
        let listener = try bed.listen(in: bed.server, "10.2.0.11", 8080)
        let kept = try bed.makeGuard()
        try kept.update(
            GuardedTraffic(
                services: [try endpoint(IPProtocol.tcp, "203.0.113.80", 80)],
                servers: [try endpoint(IPProtocol.tcp, "10.2.0.11", 8080)]))
        let curl = try bed.director.start(
            "curl -s -m 5 -w %{http_code} http://10.2.0.11:8080/".split(separator: " ").map(String.init))
        #expect(listener.answer("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"))
        #expect(curl.wait() == (0, "200"))
    }

    @Test(arguments: ["203.0.113.80", "2001:db8:80::80"]) func laterFragmentsAreOwnedToo(address: String) throws {
        let bed = try Bed()
        let source = address.contains(":") ? "2001:db8:1::2" : "10.1.0.2"
        #expect(try bed.datagram(from: bed.client, source, 9000, to: bed.director, address, size: 3000))
        let before = try reassembled(bed)
        let kept = try bed.makeGuard()
        try kept.update(GuardedTraffic(services: [try endpoint(IPProtocol.udp, address, 7000)]))
        #expect(try !bed.datagram(from: bed.client, source, 9000, to: bed.director, address, size: 3000))
        #expect(try reassembled(bed) == before)
        #expect(before > 0)
    }

    /// Fragments that the director's host has taken for reassembly.
    private func reassembled(_ bed: Bed) throws -> Int {
        let lines = try bed.director.run("cat /proc/net/snmp").split(separator: "\n").filter { $0.hasPrefix("Ip:") }
        let words = lines.map { $0.split(separator: " ") }
        let column = try #require(words[0].firstIndex(of: "ReasmReqds"))
        let line = try #require(
            try bed.director.run("cat /proc/net/snmp6").split(separator: "\n").first { $0.hasPrefix("Ip6ReasmReqds") })
        return try #require(Int(words[1][column])) + #require(
            line.split { $0 == " " || $0 == "\t" }.last.flatMap { Int($0) })
    }

    @Test(arguments: ["203.0.113.80", "2001:db8:80::80"])
    func ofTheHostsAddressTheUpperPortsAreSilent(address: String) throws {
        let bed = try Bed()
        let kept = try bed.makeGuard()
        try kept.update(GuardedTraffic(besideHost: [try #require(IPAddress(address))]))
        for (port, word) in [(80, "refused"), (60_999, "refused"), (61_000, "silent"), (65_535, "silent")] {
            #expect(try bed.connect(from: bed.client, to: address, port) == word)
        }
        try bed.client.run("ping -c 1 -W 5 \(address)")
        try kept.update(GuardedTraffic())
        #expect(try bed.connect(from: bed.client, to: address, 61_000) == "refused")
    }

    @Test func aLocalAddressIsSilentWhateverThePacket() throws {
        let bed = try Bed()
        try bed.client.run("ping -c 1 -W 5 203.0.113.80")
        let kept = try bed.makeGuard()
        try kept.update(GuardedTraffic(localAddresses: [try #require(IPAddress("203.0.113.80"))]))
        #expect(throws: NamespaceFailure.self) { try bed.client.run("ping -c 1 -W 1 203.0.113.80") }
        #expect(try bed.connect(from: bed.client, to: "203.0.113.80", 80) == "silent")
        try bed.client.run("ping -c 1 -W 5 2001:db8:80::80")
    }

    /// More than one transaction takes: all of it comes, and all of it goes.
    @Test func thousandsOfServicesComeAndGo() throws {
        let bed = try Bed()
        let kept = try bed.makeGuard()
        var services: Set<GuardedEndpoint> = []
        for number in 0..<6000 {
            services.insert(
                GuardedEndpoint(
                    transportProtocol: number % 2 == 0 ? IPProtocol.tcp : IPProtocol.udp,
                    address: number % 3 == 0
                        ? IPAddress(high: 0x2001_0db8 << 32, low: UInt64(number))
                        : IPAddress(v4: 0xc612_0000 + UInt32(number)), port: UInt16(number % 1000 + 1)))
        }
        services.insert(try endpoint(IPProtocol.tcp, "203.0.113.80", 80))
        try kept.update(GuardedTraffic(services: services))
        #expect(try bed.connect(from: bed.client, to: "203.0.113.80", 80) == "silent")
        func elements() throws -> Int {
            let text = try bed.director.run("nft list table netdev \(kept.table)")
            return text.split(whereSeparator: { $0 == "," || $0 == "\n" }).count { $0.contains("198.18.") }
        }
        // Each IPv4 service by its port, and by its address alone for later fragments.
        #expect(try elements() == 2 * services.count { $0.address.isV4 } - 2)
        try kept.update(GuardedTraffic(services: [try endpoint(IPProtocol.tcp, "203.0.113.80", 81)]))
        #expect(try elements() == 0)
        #expect(try bed.connect(from: bed.client, to: "203.0.113.80", 80) == "refused")
        #expect(try bed.connect(from: bed.client, to: "203.0.113.80", 81) == "silent")
    }

    @Test func anInterfaceThatIsMadeAnewIsHookedAgain() throws {
        let bed = try Bed()
        let monitor = try bed.director.perform { try RoutingMonitor(interfaces: ["eth0", "eth1"]) }
        let kept = try bed.makeGuard()
        try monitor.start { snapshot in try? kept.follow(snapshot.interfaces) }
        defer { monitor.stop() }
        try kept.update(GuardedTraffic(services: [try endpoint(IPProtocol.tcp, "203.0.113.80", 80)]))
        for _ in 0..<2 {
            let before = monitor.snapshot.interfaces[0].kernelIndex
            try bed.director.run("ip link del eth0")
            try bed.director.connect("eth0", "10.1.0.1/24", to: bed.client, "eth0", "10.1.0.2/24")
            try bed.client.run("ip route add default via 10.1.0.1")
            #expect(
                eventually {
                    let index = monitor.snapshot.interfaces[0].kernelIndex
                    return index != 0 && index != before ? true : nil
                } == true)
            #expect(
                eventually { try? bed.connect(from: bed.client, to: "203.0.113.80", 80) == "silent" ? true : nil }
                    == true)
            #expect(try bed.connect(from: bed.client, to: "203.0.113.80", 81) == "refused")
        }
    }

    @Test func theTableIsOwnedAndGoesWithItsSocket() throws {
        let bed = try Bed()
        let kept = try bed.makeGuard()
        try kept.update(
            GuardedTraffic(
                services: [
                    try endpoint(IPProtocol.tcp, "203.0.113.80", 80), try endpoint(IPProtocol.udp, "2001:db8::5", 53),
                ],
                servers: [try endpoint(IPProtocol.tcp, "10.2.0.11", 8080)]))
        let text = try bed.director.run("nft list table netdev \(kept.table)")
        #expect(text.contains("tcp . 203.0.113.80 . 80"))
        #expect(text.contains("udp . 2001:db8::5 . 53"))
        #expect(text.contains("tcp . 10.2.0.11 . 8080"))
        #expect(text.contains("hook ingress device \"eth1\" priority -500"))
        #expect(throws: NamespaceFailure.self) { try bed.director.run("nft delete table netdev \(kept.table)") }
        kept.close()
        #expect(eventually { (try? bed.director.run("nft list tables").isEmpty) == true ? true : nil } == true)
        // Without a table, there is nothing to change.
        try kept.update(GuardedTraffic())
    }

    @Test func errorsNameTheirCause() throws {
        let bed = try Bed()
        #expect(throws: NetlinkError.noSuchInterface("eth9")) {
            try bed.director.perform { _ = try Guard(interfaces: ["eth9"]) }
        }
        let first = try bed.director.perform { try Guard(interfaces: ["eth0"], table: "same") }
        let second = #expect(throws: NetlinkError.self) {
            try bed.director.perform { _ = try Guard(interfaces: ["eth0"], table: "same") }
        }
        #expect(second?.description.contains("the nf_tables table same") == true)
        first.close()
    }
}
