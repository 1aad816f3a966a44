import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct ServiceTableTests {
    private func add(_ bed: EngineBed, _ key: ServiceKey, isPersistent: Bool = false) throws {
        var service = VirtualService(key: key)
        if isPersistent { service.persistence = Persistence(timeout: 360, prefixLength: key.family.bits) }
        try bed.engine.addService(service)
    }

    private func slot(
        _ bed: EngineBed, _ transportProtocol: UInt8, _ endpoint: Endpoint, mark: UInt32 = 0
    ) -> UInt32? {
        bed.engine.serviceTable.find(
            transportProtocol: transportProtocol, address: endpoint.address, port: endpoint.port, mark: mark)?.record
            .slot
    }

    /// BEHAVIOUR.md 2: by mark first, then protocol, address and port, then port 0.
    @Test func looksUpByMarkThenAddressThenAnyPort() throws {
        let bed = EngineBed()
        let address = IPAddress(v4: 0xcb00_7150)
        try add(bed, .address(transportProtocol: IPProtocol.tcp, address: address, port: 80))
        try add(bed, .address(transportProtocol: IPProtocol.tcp, address: address, port: 0), isPersistent: true)
        try add(bed, .mark(5, family: .v4))
        try add(bed, .mark(5, family: .v6))
        #expect(slot(bed, IPProtocol.tcp, Endpoint(address, 80)) == 0)
        #expect(slot(bed, IPProtocol.tcp, Endpoint(address, 81)) == 1)
        #expect(slot(bed, IPProtocol.udp, Endpoint(address, 80)) == nil)
        #expect(slot(bed, IPProtocol.tcp, Endpoint(address, 80), mark: 5) == 2)
        #expect(slot(bed, IPProtocol.udp, "192.0.2.7:9", mark: 5) == 2)
        #expect(slot(bed, IPProtocol.udp, "[2001:db8::7]:9", mark: 5) == 3)
        #expect(slot(bed, IPProtocol.tcp, Endpoint(address, 80), mark: 6) == 0)
        #expect(slot(bed, IPProtocol.udp, "192.0.2.7:9", mark: 6) == nil)
        #expect(bed.engine.serviceTable.countV4 == 3 && bed.engine.serviceTable.countV6 == 1)
    }

    @Test func fiveThousandServicesAreEachFound() throws {
        let bed = EngineBed(services: 5000, destinations: 64)
        var random = SeededRandom(seed: 5000)
        var endpoints: [Endpoint] = []
        var blocks: [ServiceBlock] = []
        for number in 0..<5000 {
            let isV4 = number % 5 != 0
            let endpoint = Endpoint(
                isV4 ? IPAddress(v4: 0x0a00_0000 | UInt32(number / 20)) : random.address(.v6),
                UInt16(1000 + number % 20))
            endpoints.append(endpoint)
            blocks.append(
                ServiceBlock(
                    ServiceRecord(EngineBed.service(endpoint), slot: UInt32(number)), destinations: [], table: []))
        }
        let table = ServiceTable(blocks, servers: ServerDirectory(room: 0))
        for (number, endpoint) in endpoints.enumerated() {
            let found = table.view.find(
                transportProtocol: IPProtocol.tcp, address: endpoint.address, port: endpoint.port, mark: 0)
            #expect(found?.record.slot == UInt32(number))
            #expect(table.view.owns(endpoint.address))
            let other = table.view.find(
                transportProtocol: IPProtocol.tcp, address: endpoint.address, port: 2000, mark: 0)
            #expect(other == nil)
        }
        for _ in 0..<5000 {
            let stranger = random.address(.v6)
            #expect(!table.view.owns(stranger))
        }
        #expect(table.view.count == 5000 && table.view.countV4 == 4000)
        // The same many through the engine, at the ends.
        for endpoint in endpoints.prefix(50) { try bed.engine.addService(EngineBed.service(endpoint)) }
        #expect(bed.record(endpoints[49])?.slot == 49)
    }

    @Test func ownsNothingWithoutServices() {
        let table = ServiceTable([], servers: ServerDirectory(room: 0))
        defer { withExtendedLifetime(table) {} }
        let view = table.view
        for address in [IPAddress.anyV4, .anyV6, IPAddress(v4: 1)] {
            #expect(!view.owns(address))
            #expect(!view.hasServer(transportProtocol: 0, address: address, port: 0))
            #expect(view.find(transportProtocol: 6, address: address, port: 0, mark: 0) == nil)
        }
    }

    /// `run --only-host-addresses`: no virtual address is ours, and no filter lets one through.
    @Test(arguments: [true, false]) func ownsVirtualAddressesWhereTold(owns: Bool) throws {
        let engine = Engine(
            EngineConfiguration(
                entries: 64, services: 8, destinations: 8, secret: HashSecret(1, 2), ownsAddresses: owns))
        let endpoint: Endpoint = "203.0.113.80:80"
        try engine.addService(EngineBed.service(endpoint))
        withExtendedLifetime(engine) {
            let view = engine.serviceTable
            #expect(view.owns(endpoint.address) == owns && view.ownsVirtualAddresses == owns)
        }
    }

    /// Only real servers in NAT can send strays.
    @Test func knowsTheServersOfNAT() throws {
        let bed = EngineBed()
        try bed.engine.addService(EngineBed.service())
        try bed.engine.addDestination(EngineBed.server("10.0.2.11:8080"), to: EngineBed.key())
        var direct = EngineBed.server("10.0.2.12:80")
        direct.method = .directRouting
        try bed.engine.addDestination(direct, to: EngineBed.key())
        func has(_ transportProtocol: UInt8, _ endpoint: Endpoint) -> Bool {
            bed.engine.serviceTable.hasServer(
                transportProtocol: transportProtocol, address: endpoint.address, port: endpoint.port)
        }
        #expect(has(IPProtocol.tcp, "10.0.2.11:8080"))
        #expect(!has(IPProtocol.udp, "10.0.2.11:8080") && !has(IPProtocol.tcp, "10.0.2.11:80"))
        #expect(!has(IPProtocol.tcp, "10.0.2.12:80"))
        try bed.engine.addService(VirtualService(key: .mark(9, family: .v4)))
        try bed.engine.addDestination(EngineBed.server("10.0.2.14:80"), to: .mark(9, family: .v4))
        #expect(has(IPProtocol.udp, "10.0.2.14:80") && has(IPProtocol.tcp, "10.0.2.14:80"))
    }

    @Test func aPlaceIsFoundWithoutItsHint() throws {
        let bed = EngineBed()
        try bed.engine.addService(EngineBed.service())
        for host in 1...4 {
            try bed.engine.addDestination(
                EngineBed.server(Endpoint(IPAddress(v4: UInt32(host)), 80)), to: EngineBed.key())
        }
        let record = try #require(bed.record())
        for place in 0..<4 {
            let slot = record.destination(place).slot
            bed.engine.slots.destination(slot).place = 77
            #expect(record.place(of: slot, bed.engine.slots) == place)
        }
        #expect(record.place(of: 99, bed.engine.slots) == nil)
    }
}
