import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct LocalPortsTests {
    private static let other: Endpoint = "203.0.113.81:80"

    private static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    /// A service with local addresses.
    private static func bed(_ locals: [String], at virtual: Endpoint = "203.0.113.80:80") throws -> EngineBed {
        let bed = EngineBed()
        try add(locals, to: bed, virtual)
        return bed
    }

    private static func add(_ locals: [String], to bed: EngineBed, _ virtual: Endpoint) throws {
        try bed.engine.addService(EngineBed.service(virtual))
        for text in locals { try bed.engine.addLocalAddress(address(text), to: EngineBed.key(virtual)) }
    }

    private static func take(_ bed: EngineBed, isV4: Bool = true, _ virtual: Endpoint = "203.0.113.80:80")
        -> LocalEndpoint?
    {
        bed.record(virtual)?.localPool?.take(isV4: isV4, transportProtocol: IPProtocol.tcp)
    }

    private static func status(_ bed: EngineBed, _ virtual: Endpoint = "203.0.113.80:80") -> [LocalAddressStatus] {
        bed.engine.service(EngineBed.key(virtual))?.localAddresses ?? []
    }

    @Test func addressesTakeTurnsWithinTheirFamily() throws {
        let virtual: Endpoint = "[2001:db8:80::80]:80"
        let bed = try Self.bed(["10.0.2.200", "2001:db8:2::200", "10.0.2.201"], at: virtual)
        let taken = (0..<6).compactMap { _ in Self.take(bed, virtual)?.address.description }
        #expect(taken.count == 6 && Set(taken) == ["10.0.2.200", "10.0.2.201"])
        #expect(Self.take(bed, isV4: false, virtual)?.address.description == "2001:db8:2::200")
        #expect(Self.status(bed, virtual).map(\.connections).reduce(0, +) == 7)
    }

    /// An address that is used up is passed over, and counts who came in vain; when all are, there is none.
    @Test func anotherAddressIsTakenWhereOneIsUsedUp() throws {
        let bed = try Self.bed(["10.0.2.200", "10.0.2.201"])
        let pool = try #require(bed.record()?.localPool)
        var pairs: Set<UInt64> = []
        for _ in 0..<2 * LocalPortRing.ports {
            let local = try #require(pool.take(isV4: true, transportProtocol: IPProtocol.tcp))
            pairs.insert(UInt64(local.address.v4) << 16 | UInt64(local.port))
        }
        #expect(pairs.count == 2 * LocalPortRing.ports)
        #expect(Self.take(bed) == nil)
        #expect(Self.status(bed).map(\.exhausted) == [1, 1])
        let back = LocalEndpoint(address: try Self.address("10.0.2.201"), port: 5000)
        bed.engine.serviceTable.locals.giveBack(back, transportProtocol: IPProtocol.tcp)
        let again = try #require(Self.take(bed))
        #expect(again.address == back.address && again.port == 5000)
    }

    /// Two services that list one address never get one port twice; UDP has ports of its own.
    @Test func servicesShareAnAddress() throws {
        let bed = try Self.bed(["10.0.2.200"])
        try Self.add(["10.0.2.200"], to: bed, Self.other)
        #expect(Self.take(bed)?.port == 1024)
        #expect(Self.take(bed, Self.other)?.port == 1025)
        let key = ServiceKey.address(transportProtocol: IPProtocol.udp, address: Self.other.address, port: 53)
        try bed.engine.addService(VirtualService(key: key))
        try bed.engine.addLocalAddress(Self.address("10.0.2.200"), to: key)
        let table = bed.engine.serviceTable
        let dns = table.find(transportProtocol: IPProtocol.udp, address: Self.other.address, port: 53, mark: 0)
        #expect(dns?.record.localPool?.take(isV4: true, transportProtocol: IPProtocol.udp)?.port == 1024)
        #expect(Self.status(bed).map(\.connections) == [3])
    }

    /// Taken out of the pool, an address gives no more ports, but takes those back that are out; listed again meanwhile,
    /// it goes on where it was.
    @Test func anAddressStaysUntilItsLastPortIsBack() throws {
        let bed = try Self.bed(["10.0.2.200", "10.0.2.201"])
        let address = try Self.address("10.0.2.200")
        var local = try #require(Self.take(bed))
        if local.address != address { local = try #require(Self.take(bed)) }
        try bed.engine.removeLocalAddress(address, of: EngineBed.key())
        #expect(Set((0..<4).compactMap { _ in Self.take(bed)?.address.description }) == ["10.0.2.201"])
        bed.advance(to: 3)
        #expect(bed.engine.serviceTable.locals.find(address) != nil && bed.engine.serviceTable.owns(address))
        try bed.engine.addLocalAddress(address, to: EngineBed.key())
        #expect(Self.status(bed).first { $0.address == address }?.connections == 1)
        try bed.engine.removeLocalAddress(address, of: EngineBed.key())
        bed.engine.serviceTable.locals.giveBack(local, transportProtocol: IPProtocol.tcp)
        bed.advance(from: 4, to: 8)
        #expect(bed.engine.serviceTable.locals.find(address) == nil && !bed.engine.serviceTable.owns(address))
        #expect(bed.engine.locals.count == 1)
    }

    @Test func thePoolSurvivesChangesOfTheService() throws {
        let bed = try Self.bed(["10.0.2.200"])
        #expect(Self.take(bed)?.port == 1024)
        var service = EngineBed.service("203.0.113.80:80", .wlc)
        service.clientAddress = .tcpOption
        try bed.engine.editService(service)
        try bed.engine.addDestination(EngineBed.server("10.0.2.11:80"), to: EngineBed.key())
        #expect(bed.record()?.clientAddress == .tcpOption)
        #expect(Self.take(bed)?.port == 1025)
        try bed.engine.removeService(EngineBed.key())
        bed.advance(to: 2)
        #expect(bed.engine.locals.count == 1)
    }

    /// The round robin's number and the prepared table are the same after a local address came.
    @Test func theSchedulerDoesNotNotice() throws {
        let bed = EngineBed()
        try bed.engine.addService(EngineBed.service("203.0.113.80:80", .mh))
        for number in UInt32(11)...13 {
            let server = Endpoint(IPAddress(v4: 0x0a00_0200 | number), 80)
            try bed.engine.addDestination(EngineBed.server(server), to: EngineBed.key())
        }
        let before = try #require(bed.record())
        let values = (0..<before.tableCount).map { before.tableValue($0) }
        try bed.engine.addLocalAddress(Self.address("10.0.2.200"), to: EngineBed.key())
        let after = try #require(bed.record())
        #expect((0..<after.tableCount).map { after.tableValue($0) } == values)
        #expect(after.schedulerNumbers == before.schedulerNumbers && after.count == 3)
    }

    @Test func familiesMixOnlyAsNAT64() throws {
        let bed = try Self.bed(["10.0.2.200"])
        var six = EngineBed.server("[2001:db8:2::11]:80")
        six.method = .fullNAT
        #expect(EngineBed.error { try bed.engine.addDestination(six, to: EngineBed.key()) } == .familyMismatch)
        let virtual: Endpoint = "[2001:db8:80::80]:80"
        try Self.add(["10.0.2.200"], to: bed, virtual)
        var four = EngineBed.server("10.0.2.11:80")
        four.method = .fullNAT
        try bed.engine.addDestination(four, to: EngineBed.key(virtual))
        #expect(bed.record(virtual)?.count == 1)
    }
}
