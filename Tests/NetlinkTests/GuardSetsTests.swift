import Testing
import Wire

@testable import Netlink

@Suite struct GuardSetsTests {
    private let v4 = IPAddress(v4: 0xcb00_7150)
    private let v6 = IPAddress(high: 0x2001_0db8_0080_0000, low: 0x80)

    private func element(_ set: GuardSet, _ transport: UInt8, _ address: IPAddress, _ port: UInt16) -> GuardElement {
        GuardElement(set: set, endpoint: GuardedEndpoint(transportProtocol: transport, address: address, port: port))
    }

    @Test func aServiceIsItsEndpointAndItsFragments() {
        let traffic = GuardedTraffic(services: [GuardedEndpoint(transportProtocol: 6, address: v4, port: 80)])
        #expect(traffic.elements == [element(.services, 6, v4, 80), element(.serviceFragments, 6, v4, 0)])
    }

    @Test func portZeroIsEveryPortAndProtocolZeroEveryTransport() {
        let traffic = GuardedTraffic(servers: [GuardedEndpoint(transportProtocol: 0, address: v6, port: 0)])
        #expect(traffic.elements == Set([6, 17, 132].map { element(.serverAddresses, $0, v6, 0) }))
    }

    @Test func addressesAreForEveryPacket() {
        let traffic = GuardedTraffic(localAddresses: [v4], hostAddresses: [v6])
        #expect(traffic.elements == [element(.localAddresses, 0, v4, 0), element(.hosts, 0, v6, 0)])
    }

    @Test func anAddressBesideTheHostIsAskedByTransport() {
        #expect(
            GuardedTraffic(besideHost: [v4]).elements == Set([6, 17, 132].map { element(.besideHost, $0, v4, 0) }))
    }

    @Test func keysArePaddedToRegisters() {
        #expect(element(.services, 6, v4, 0x1f90).key == [6, 0, 0, 0, 203, 0, 113, 80, 0x1f, 0x90, 0, 0])
        #expect(element(.serverFragments, 17, v4, 0).key == [17, 0, 0, 0, 203, 0, 113, 80])
        #expect(element(.hosts, 0, v4, 0).key == [203, 0, 113, 80])
        for set in GuardSet.allCases {
            for address in [v4, v6] {
                #expect(element(set, 6, address, 80).key.count == Int(set.shape.length(address.family)))
            }
        }
    }
}
