import Balancer
import Testing
import Wire

@Suite struct RouteTextTests {
    let interfaces = RouteTableTests.interfaces

    @Test func everyOption() throws {
        let route = try Route(
            parsing:
                "10.0.9.7/24 via 10.0.2.254 dev eth1 proto static scope global src 10.0.2.1 metric 10 mtu lock 1400 onlink",
            interfaces: interfaces)
        #expect(
            route
                == Route(
                    destination: IPAddress(v4: 0x0a00_0900), prefixLength: 24, gateway: IPAddress("10.0.2.254"),
                    interface: 1, source: IPAddress("10.0.2.1"), mtu: 1400, metric: 10))
    }

    @Test func theGatewayNamesTheInterface() throws {
        #expect(try Route(parsing: "default via 10.0.2.254", interfaces: interfaces).interface == 1)
        #expect(try Route(parsing: "default via 192.0.2.254", interfaces: interfaces).interface == 0)
        #expect(try Route(parsing: "default via 198.51.100.1", interfaces: interfaces).interface == -1)
        #expect(try Route(parsing: "10.1.0.0/16 via inet6 2001:db8:2::5", interfaces: interfaces).interface == 1)
    }

    @Test func theFamilyOfDefault() throws {
        #expect(try Route(parsing: "default via 2001:db8:1::fe", interfaces: interfaces).destination == .anyV6)
        #expect(try Route(parsing: "ip -6 route add default dev eth0", interfaces: interfaces).destination == .anyV6)
        #expect(try Route(parsing: "default dev eth0", interfaces: interfaces).destination == .anyV4)
        #expect(try Route(parsing: "default dev eth0", interfaces: interfaces, family: .v6).destination == .anyV6)
    }

    @Test func localRoutesAreInTheLocalTable() throws {
        let local = try Route(parsing: "ip route add local 203.0.113.0/24 dev lo", interfaces: interfaces)
        #expect(local.kind == .local && local.isInLocalTable && local.interface == -1)
        #expect(try !Route(parsing: "local 203.0.113.0/24 dev lo table main", interfaces: interfaces).isInLocalTable)
        #expect(try !Route(parsing: "unreachable 172.16.0.0/12", interfaces: interfaces).isInLocalTable)
    }

    @Test(
        arguments: [
            "", "local", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/8/9", "default via",
            "default via nowhere",
            "default via 10.0.2.254 mtu 0", "default via 10.0.2.254 metric -1", "default via 10.0.2.254 colour red",
        ])
    func refuses(text: String) {
        #expect(throws: RouteParseError.self) { try Route(parsing: text, interfaces: interfaces) }
    }
}
