import Balancer
import Testing
import Wire

@Suite struct NetworkInterfaceTests {
    @Test func connectedRoutesOfAnAddress() throws {
        let interface = NetworkInterface(
            slot: 3, name: "eth3", mac: .zero, addresses: [try #require(InterfaceAddress("10.0.2.1/24"))])
        let address = IPAddress(v4: 0x0a00_0201)
        #expect(
            interface.connectedRoutes == [
                Route(destination: address, prefixLength: 32, kind: .local, interface: 3, source: address),
                Route(destination: IPAddress(v4: 0x0a00_0200), prefixLength: 24, interface: 3, source: address),
                Route(
                    destination: IPAddress(v4: 0x0a00_02ff), prefixLength: 32, kind: .broadcast, interface: 3,
                    source: address),
            ])
    }

    @Test(arguments: [("10.0.2.1/32", 1), ("10.0.2.0/31", 2), ("10.0.2.1/30", 3), ("::5/128", 1), ("2001::5/64", 2)])
    func howManyRoutesAnAddressMakes(text: String, count: Int) throws {
        let interface = NetworkInterface(
            slot: 0, name: "eth0", mac: .zero, addresses: [try #require(InterfaceAddress(text))])
        #expect(interface.connectedRoutes.count == count)
    }

    @Test func theSourceIsOfTheNextHopsSubnet() throws {
        let interface = NetworkInterface(
            slot: 0, name: "eth0", mac: .zero,
            addresses: ["203.0.113.80/32", "10.0.2.1/24", "10.0.3.1/24", "fe80::1/64", "2001:db8::1/64", "fd00::1/64"]
                .compactMap(InterfaceAddress.init))
        func source(_ text: String) throws -> String? {
            interface.source(for: try #require(IPAddress(text)))?.description
        }
        #expect(try source("10.0.3.9") == "10.0.3.1")
        #expect(try source("8.8.8.8") == "203.0.113.80")
        #expect(try source("fe80::9") == "fe80::1")
        #expect(try source("2001:db8:9::1") == "2001:db8::1")
        #expect(try source("fd00:1::1") == "fd00::1")
    }

    @Test func factsAndUnknownSlots() throws {
        let snapshot = RoutingBuilder(interfaces: RouteTableTests.interfaces, routes: [], neighbors: []).build()
        #expect(snapshot.view.interface(1).mac == MACAddress(bits: 0x0200_0000_0201))
        #expect(snapshot.view.interface(1).source(.v6) == IPAddress("2001:db8:2::1"))
        #expect(snapshot.view.interface(0).source(.v4) == IPAddress("192.0.2.1"))
        #expect(snapshot.view.interface(2) == InterfaceFacts())
        #expect(snapshot.view.interface(-1).mtu == 0)
    }
}
