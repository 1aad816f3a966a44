import Balancer
import Testing
import Wire

@Suite struct NeighborTableTests {
    @Test func findsByInterfaceAndAddress() {
        let address = IPAddress(v4: 0x0a00_0201)
        let table = NeighborTable([
            Neighbor(interface: 0, address: address, mac: MACAddress(bits: 1), state: .stale),
            Neighbor(interface: 1, address: address, mac: MACAddress(bits: 2), state: .reachable),
            Neighbor(interface: 2, address: address, mac: MACAddress(bits: 3), state: .failed),
        ])
        #expect(table.view.lookup(interface: 0, address: address).mac == MACAddress(bits: 1))
        #expect(table.view.lookup(interface: 1, address: address).state == .reachable)
        let failed = table.view.lookup(interface: 2, address: address)
        #expect(failed.state == .failed && !failed.state.isUsable && failed.mac == .zero)
        #expect(table.view.lookup(interface: 3, address: address).state == .missing)
        #expect(table.view.lookup(interface: -1, address: address).state == .missing)
    }

    @Test func theLastOfEqualNeighborsCounts() {
        let address = IPAddress(high: 1, low: 2)
        let table = NeighborTable((1...3).map { Neighbor(interface: 0, address: address, mac: MACAddress(bits: $0)) })
        #expect(table.count == 1)
        #expect(table.view.lookup(interface: 0, address: address).mac == MACAddress(bits: 3))
    }

    @Test(arguments: [0, 1, 5, 3000]) func agreesWithADictionary(count: Int) {
        var random = RoutingRandom(state: UInt64(count))
        var expected: [IPAddress: MACAddress] = [:]
        var neighbors: [Neighbor] = []
        for _ in 0..<count {
            let isV4 = random.next() & 1 == 0
            let low = random.next() & 0xfff
            let address = isV4 ? IPAddress(v4: UInt32(low)) : IPAddress(high: 0xfe80 << 48, low: low)
            let mac = MACAddress(bits: random.next() | 1)
            expected[address] = mac
            neighbors.append(Neighbor(interface: 0, address: address, mac: mac))
        }
        let table = NeighborTable(neighbors)
        #expect(table.count == expected.count)
        for low in UInt64(0)...0xfff {
            for address in [IPAddress(v4: UInt32(low)), IPAddress(high: 0xfe80 << 48, low: low)] {
                #expect(table.view.lookup(interface: 0, address: address).mac == expected[address] ?? .zero)
            }
        }
    }
}
