import Testing
import Wire

@testable import PacketIO

@Suite struct RedirectKeysTests {
    @Test func keysLieAsTheProgramReadsThem() {
        let endpoint = RedirectKeys.Endpoint(transportProtocol: 17, port: 0x1234, address: address("10.1.2.3"))
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3]
        #expect(RedirectKeys.bytes(endpoint) == [17, 0, 0x12, 0x34] + mapped)
        #expect(RedirectKeys.bytes(endpoint).count == RedirectKeys.endpointLength)
        #expect(
            RedirectKeys.bytes(address("2001:db8::1")) == [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [1])
    }

    @Test func anAddressWithSeveralPartsHasAllTheirBits() {
        let shared = address("10.0.0.1")
        var traffic = OwnedTraffic()
        traffic.virtual = [.init(transportProtocol: 6, address: shared, port: 80)]
        traffic.servers = [
            .init(transportProtocol: 6, address: shared, port: 80),
            .init(transportProtocol: 1, address: shared, port: 0),
        ]
        traffic.arpFor = [shared]
        let keys = RedirectKeys(traffic, hostAddresses: [shared])
        #expect(keys.endpoints.count == 1)
        #expect(keys.endpoints.first?.value == 3)
        #expect(keys.addresses == [shared: 2 | 4 | 8 | 16 | 32])
    }
}
