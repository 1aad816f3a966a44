import Balancer
import Testing
import Wire

@testable import Kubernetes

@Suite struct SyncPlanTests {
    private static func key(_ last: UInt32, _ number: UInt8 = IPProtocol.tcp) -> ServiceKey {
        .address(transportProtocol: number, address: IPAddress(v4: 0x0a60_0000 + last), port: 80)
    }

    private static func server(_ last: UInt32) -> DestinationKey {
        DestinationKey(address: IPAddress(v4: 0x0a64_0000 + last), port: 8080)
    }

    private static func desired(_ key: ServiceKey, _ servers: [UInt32]) -> DesiredService {
        var service = VirtualService(key: key, scheduler: .rr)
        service.masquerade = .loops
        return DesiredService(name: "a/web", service: service, destinations: servers.map { server($0) })
    }

    /// A service as it stands; a server is its number, its weight and its connections.
    private static func live(
        _ key: ServiceKey, _ servers: [(last: UInt32, weight: Int32, connections: UInt32)],
        _ change: (inout VirtualService) -> Void = { _ in }
    ) -> ServiceStatus {
        var service = desired(key, []).service
        change(&service)
        return ServiceStatus(
            service: service,
            destinations: servers.map { server in
                DestinationStatus(
                    destination: .translating(Self.server(server.last), weight: server.weight),
                    inactiveConnections: server.connections)
            })
    }

    private static func owned(_ key: ServiceKey, _ servers: [UInt32]) -> OwnedRules {
        var owned = OwnedRules()
        owned.destinations[key] = Set(servers.map { server($0) })
        return owned
    }

    private static let one = key(1)

    private static func lines(_ plan: SyncPlan) -> [String] { plan.changes.map(\.description) }

    @Test func anEmptyTableIsFilled() {
        let plan = SyncPlan(desired: [Self.desired(Self.one, [1, 2])], table: [], owned: OwnedRules())
        #expect(
            Self.lines(plan) == [
                "-A -t 10.96.0.1:80 -s rr", "-a -t 10.96.0.1:80 -r 10.100.0.1:8080 -m -w 1",
                "-a -t 10.96.0.1:80 -r 10.100.0.2:8080 -m -w 1",
            ])
        #expect(plan.owned == Self.owned(Self.one, [1, 2]))
    }

    @Test func whatIsRightIsNotTouched() {
        let plan = SyncPlan(
            desired: [Self.desired(Self.one, [1, 2])], table: [Self.live(Self.one, [(1, 1, 5), (2, 1, 0)])],
            owned: Self.owned(Self.one, [1, 2]))
        #expect(plan.changes.isEmpty && plan.remarks.isEmpty && plan.draining == 0)
        #expect(plan.owned == Self.owned(Self.one, [1, 2]))
    }

    @Test func aServerWithConnectionsIsDrained() {
        let plan = SyncPlan(
            desired: [Self.desired(Self.one, [2])], table: [Self.live(Self.one, [(1, 1, 3), (2, 1, 0)])],
            owned: Self.owned(Self.one, [1, 2]))
        #expect(Self.lines(plan) == ["-e -t 10.96.0.1:80 -r 10.100.0.1:8080 -m -w 0"])
        #expect(plan.draining == 1)
        #expect(plan.owned == Self.owned(Self.one, [1, 2]))
    }

    @Test func aDrainedServerGoesWithItsLastConnection() {
        let owned = Self.owned(Self.one, [1, 2])
        let waiting = SyncPlan(
            desired: [Self.desired(Self.one, [2])], table: [Self.live(Self.one, [(1, 0, 3), (2, 1, 0)])], owned: owned)
        #expect(waiting.changes.isEmpty && waiting.draining == 1)
        let done = SyncPlan(
            desired: [Self.desired(Self.one, [2])], table: [Self.live(Self.one, [(1, 0, 0), (2, 1, 0)])], owned: owned)
        #expect(Self.lines(done) == ["-d -t 10.96.0.1:80 -r 10.100.0.1:8080"])
        #expect(done.owned == Self.owned(Self.one, [2]) && done.draining == 0)
    }

    @Test func aDrainedServerThatComesBackIsUsedAgain() {
        let plan = SyncPlan(
            desired: [Self.desired(Self.one, [1])], table: [Self.live(Self.one, [(1, 0, 3)])],
            owned: Self.owned(Self.one, [1]))
        #expect(Self.lines(plan) == ["-e -t 10.96.0.1:80 -r 10.100.0.1:8080 -m -w 1"])
    }

    /// Clients of UDP would keep a server alive for ever by sending on.
    @Test func aServerOfUDPGoesAtOnce() {
        let key = Self.key(1, IPProtocol.udp)
        let plan = SyncPlan(
            desired: [Self.desired(key, [])], table: [Self.live(key, [(1, 1, 9)])], owned: Self.owned(key, [1]))
        #expect(Self.lines(plan) == ["-d -u 10.96.0.1:80 -r 10.100.0.1:8080"])
    }

    @Test func aServiceThatIsGoneGoesAtOnce() {
        let plan = SyncPlan(
            desired: [], table: [Self.live(Self.one, [(1, 1, 9)]), Self.live(Self.key(2), [])],
            owned: Self.owned(Self.one, [1]))
        #expect(Self.lines(plan) == ["-D -t 10.96.0.1:80"])
        #expect(plan.owned == OwnedRules())
    }

    @Test func servicesInExcludedPrefixesStay() throws {
        var options = SyncOptions()
        options.excludedPrefixes = [try #require(AddressPrefix("10.96.0.1/32"))]
        let owned = Self.owned(Self.one, [1])
        let plan = SyncPlan(desired: [], table: [Self.live(Self.one, [(1, 1, 0)])], owned: owned, options: options)
        #expect(plan.changes.isEmpty && plan.owned == owned)
        let without = SyncPlan(desired: [], table: [Self.live(Self.one, [(1, 1, 0)])], owned: owned)
        #expect(without.changes.count == 1)
    }

    // MARK: Local addresses

    private static let (local, other) = (IPAddress(v4: 0xc000_0201), IPAddress(v4: 0xc000_0202))

    @Test func localAddressesAreAddedBeforeTheyAreNeeded() {
        var desired = Self.desired(Self.one, [1])
        desired.localAddresses = [Self.local]
        let plan = SyncPlan(desired: [desired], table: [], owned: OwnedRules())
        #expect(
            Self.lines(plan) == [
                "-A -t 10.96.0.1:80 -s rr", "-P -t 10.96.0.1:80 -z 192.0.2.1",
                "-a -t 10.96.0.1:80 -r 10.100.0.1:8080 -m -w 1",
            ])
        #expect(plan.owned.localAddresses == [Self.one: [Self.local]])
    }

    @Test func localAddressesOfOursAreReplacedAndOthersStay() {
        var desired = Self.desired(Self.one, [1])
        desired.localAddresses = [Self.other]
        var owned = Self.owned(Self.one, [1])
        owned.localAddresses = [Self.one: [Self.local]]
        var live = Self.live(Self.one, [(1, 1, 0)])
        live.localAddresses = [Self.local, IPAddress(v4: 0xc000_0263)].map { LocalAddressStatus(address: $0) }
        let plan = SyncPlan(desired: [desired], table: [live], owned: owned)
        #expect(
            Self.lines(plan) == ["-P -t 10.96.0.1:80 -z 192.0.2.2", "-Q -t 10.96.0.1:80 -z 192.0.2.1"])
        #expect(plan.owned.localAddresses == [Self.one: [Self.other]])
    }

    // MARK: Made by hand

    @Test func servicesMadeByHandStay() {
        let plan = SyncPlan(desired: [], table: [Self.live(Self.one, [(1, 1, 0)])], owned: OwnedRules())
        #expect(plan.changes.isEmpty)
    }

    @Test func serversMadeByHandStay() {
        let plan = SyncPlan(
            desired: [Self.desired(Self.one, [1])], table: [Self.live(Self.one, [(7, 3, 0), (1, 1, 0)])],
            owned: Self.owned(Self.one, [1]))
        #expect(plan.changes.isEmpty && plan.owned == Self.owned(Self.one, [1]))
    }

    @Test func aServerMadeByHandAsItShouldBeBecomesOurs() {
        let desired = [Self.desired(Self.one, [1, 2])]
        let owned = Self.owned(Self.one, [1])
        let same = SyncPlan(desired: desired, table: [Self.live(Self.one, [(2, 1, 0), (1, 1, 0)])], owned: owned)
        #expect(same.changes.isEmpty && same.owned == Self.owned(Self.one, [1, 2]))
        let other = SyncPlan(desired: desired, table: [Self.live(Self.one, [(2, 5, 0), (1, 1, 0)])], owned: owned)
        #expect(other.changes.isEmpty && other.owned == owned)
    }

    @Test func aServiceOfTheSameKeyIsLeftAloneUnlessAdopted() {
        let desired = [Self.desired(Self.one, [1])]
        let table = [Self.live(Self.one, [(9, 1, 0)]) { $0.scheduler = .wlc }]
        let plan = SyncPlan(desired: desired, table: table, owned: OwnedRules())
        #expect(plan.changes.isEmpty && plan.owned == OwnedRules())
        #expect(
            plan.remarks == ["a/web: -t 10.96.0.1:80 was not made for it and is left alone; --adopt takes it over"])
        var options = SyncOptions()
        options.adopts = true
        let adopted = SyncPlan(desired: desired, table: table, owned: OwnedRules(), options: options)
        #expect(
            Self.lines(adopted) == [
                "-E -t 10.96.0.1:80 -s rr", "-d -t 10.96.0.1:80 -r 10.100.0.9:8080",
                "-a -t 10.96.0.1:80 -r 10.100.0.1:8080 -m -w 1",
            ])
        #expect(adopted.owned == Self.owned(Self.one, [1]))
    }

    /// The daemon was started again with its rules kept: nobody remembers whose they are, but they are as we would make
    /// them, but for the masquerade rule, which ipvsadm's text does not hold.
    @Test func whatIsAsWeWouldMakeItIsOurs() {
        let plan = SyncPlan(
            desired: [Self.desired(Self.one, [1, 2])],
            table: [Self.live(Self.one, [(1, 1, 0)]) { $0.masquerade = nil }], owned: OwnedRules())
        #expect(
            Self.lines(plan) == ["-E -t 10.96.0.1:80 -s rr", "-a -t 10.96.0.1:80 -r 10.100.0.2:8080 -m -w 1"])
        #expect(plan.owned == Self.owned(Self.one, [1, 2]))
    }

    @Test func whatWasChangedByHandIsPutRight() {
        let plan = SyncPlan(
            desired: [Self.desired(Self.one, [1, 2])],
            table: [Self.live(Self.one, [(1, 4, 0)]) { $0.scheduler = .wlc }], owned: Self.owned(Self.one, [1, 2]))
        #expect(
            Self.lines(plan) == [
                "-E -t 10.96.0.1:80 -s rr", "-e -t 10.96.0.1:80 -r 10.100.0.1:8080 -m -w 1",
                "-a -t 10.96.0.1:80 -r 10.100.0.2:8080 -m -w 1",
            ])
    }
}
