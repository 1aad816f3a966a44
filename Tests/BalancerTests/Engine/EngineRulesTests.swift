import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct EngineRulesTests {
    @Test func destinationsAreKeptNewestFirst() throws {
        let bed = EngineBed()
        try bed.engine.addService(EngineBed.service())
        for server in ["10.0.2.11:80", "10.0.2.12:80", "10.0.2.13:80"] {
            let endpoint = try #require(Endpoint(parsing: server))
            try bed.engine.addDestination(EngineBed.server(endpoint), to: EngineBed.key())
        }
        #expect(
            bed.servers().map { $0.destination.key.address.description } == ["10.0.2.13", "10.0.2.12", "10.0.2.11"])
        let record = try #require(bed.record())
        #expect(record.count == 3 && record.destination(0).address.description == "10.0.2.13")
        // An edit keeps the place; deleted and added again it is the first.
        try bed.engine.editDestination(EngineBed.server("10.0.2.12:80", weight: 9), of: EngineBed.key())
        #expect(bed.servers().map { $0.destination.weight } == [1, 9, 1])
        let last = DestinationKey(address: IPAddress(v4: 0x0a00_020b), port: 80)
        try bed.engine.removeDestination(last, of: EngineBed.key())
        try bed.engine.addDestination(EngineBed.server("10.0.2.11:80"), to: EngineBed.key())
        #expect(
            bed.servers().map { $0.destination.key.address.description } == ["10.0.2.11", "10.0.2.13", "10.0.2.12"])
        for (place, status) in bed.servers().enumerated() {
            let slot = try #require(bed.record()).destination(place).slot
            #expect(bed.record()?.place(of: slot, bed.engine.slots) == place)
            #expect(bed.engine.slots.destination(slot).weight == status.destination.weight)
        }
    }

    @Test func refusesWhatTheKernelRefuses() throws {
        let bed = EngineBed()
        let engine = bed.engine
        let key = EngineBed.key()
        let server = EngineBed.server("10.0.2.11:80")
        #expect(EngineBed.error { try engine.editService(EngineBed.service()) } == .noSuchService)
        #expect(EngineBed.error { try engine.removeService(key) } == .noSuchService)
        #expect(EngineBed.error { try engine.zero(key) } == .noSuchService)
        #expect(EngineBed.error { try engine.addDestination(server, to: key) } == .serviceNotDefined)
        #expect(EngineBed.error { try engine.editDestination(server, of: key) } == .serviceNotDefined)
        #expect(EngineBed.error { try engine.removeDestination(server.key, of: key) } == .serviceNotDefined)
        try engine.addService(EngineBed.service())
        #expect(EngineBed.error { try engine.addService(EngineBed.service()) } == .serviceExists)
        #expect(EngineBed.error { try engine.editDestination(server, of: key) } == .noSuchDestination)
        #expect(EngineBed.error { try engine.removeDestination(server.key, of: key) } == .noSuchDestination)
        try engine.addDestination(server, to: key)
        #expect(EngineBed.error { try engine.addDestination(server, to: key) } == .destinationExists)
        #expect(
            EngineBed.error { try engine.addDestination(EngineBed.server("10.0.2.12:80", weight: -1), to: key) }
                == .outOfRange)
        #expect(
            EngineBed.error {
                try engine.editDestination(EngineBed.server("10.0.2.11:80", upper: 1, lower: 2), of: key)
            } == .outOfRange)
        var masked = EngineBed.service("203.0.113.80:81")
        masked.prefixLength = 33
        #expect(EngineBed.error { try engine.addService(masked) } == .invalidArgument)
        // What was refused changed nothing.
        #expect(engine.services().count == 1 && bed.servers().count == 1 && bed.record()?.count == 1)
        try engine.zero(nil)
    }

    @Test func saysWhenItIsFull() throws {
        let bed = EngineBed(services: 2, destinations: 3)
        try bed.engine.addService(EngineBed.service("203.0.113.80:1"))
        try bed.engine.addService(EngineBed.service("203.0.113.80:2"))
        #expect(EngineBed.error { try bed.engine.addService(EngineBed.service("203.0.113.80:3")) } == .tableFull)
        let key = EngineBed.key("203.0.113.80:1")
        for host in 1...3 {
            try bed.engine.addDestination(EngineBed.server(Endpoint(IPAddress(v4: UInt32(host)), 80)), to: key)
        }
        #expect(
            EngineBed.error { try bed.engine.addDestination(EngineBed.server("10.0.0.9:80"), to: key) } == .tableFull)
        // A deleted service's slot is free at once, a deleted destination's when it is forgotten.
        try bed.engine.removeService(EngineBed.key("203.0.113.80:2"))
        try bed.engine.addService(EngineBed.service("203.0.113.80:3"))
        try bed.engine.removeDestination(DestinationKey(address: IPAddress(v4: 1), port: 80), of: key)
        #expect(
            EngineBed.error { try bed.engine.addDestination(EngineBed.server("10.0.0.9:80"), to: key) } == .tableFull)
        bed.advance(to: 200)
        try bed.engine.addDestination(EngineBed.server("10.0.0.9:80"), to: key)
    }

    @Test func everyChangeIsInForceAtOnce() throws {
        let bed = EngineBed()
        #expect(bed.record() == nil && bed.engine.serviceTable.count == 0)
        try bed.engine.addService(EngineBed.service())
        #expect(bed.record()?.scheduler == .rr)
        try bed.engine.editService(EngineBed.service("203.0.113.80:80", .wlc))
        #expect(bed.record()?.scheduler == .wlc)
        try bed.engine.addDestination(EngineBed.server("10.0.2.11:80", weight: 3), to: EngineBed.key())
        #expect(bed.record()?.destination(0).weight == 3)
        try bed.engine.removeService(EngineBed.key())
        #expect(bed.record() == nil)
        try bed.engine.addService(EngineBed.service())
        try bed.engine.addService(EngineBed.service("203.0.113.81:80"))
        #expect(bed.engine.serviceTable.countV4 == 2)
        bed.engine.removeAllServices()
        #expect(bed.engine.serviceTable.count == 0 && bed.engine.services().isEmpty)
    }

    @Test func timeoutsAreTheSettings() {
        let bed = EngineBed()
        #expect(bed.engine.timeouts == Timeouts(tcp: 900, tcpFin: 120, udp: 300))
        bed.engine.timeouts = Timeouts(tcp: 100, tcpFin: 30, udp: 10)
        #expect(bed.engine.settings.timeouts == Timeouts(tcp: 100, tcpFin: 30, udp: 10))
    }

    /// BEHAVIOUR.md 8 and its last section.
    @Test func aDeletedDestinationIsTheSameForAWhile() throws {
        for (pause, isSame) in [(1, true), (90, true), (200, false)] {
            let bed = EngineBed()
            let server = EngineBed.server("10.0.2.11:80")
            try bed.engine.addService(EngineBed.service())
            try bed.engine.addDestination(server, to: EngineBed.key())
            let slot = try #require(bed.record()).destination(0).slot
            bed.engine.destinationRow(worker: 0).countIn(slot, bytes: 100)
            bed.advance(to: 4)
            #expect(bed.servers()[0].counters.inPackets == 1)
            try bed.engine.removeDestination(server.key, of: EngineBed.key())
            #expect(!bed.engine.slots.destination(slot).isAvailable && bed.record()?.count == 0)
            bed.advance(from: 5, to: 4 + pause)
            try bed.engine.addDestination(server, to: EngineBed.key())
            bed.advance(from: 5 + pause, to: 10 + pause)
            #expect(bed.servers()[0].counters.inPackets == (isSame ? 1 : 0), "after \(pause) s")
            #expect(bed.engine.slots.destination(try #require(bed.record()).destination(0).slot).isAvailable)
        }
    }

    @Test func aDeletedDestinationStaysWhileItHasConnections() throws {
        let bed = EngineBed()
        let server = EngineBed.server("10.0.2.11:80")
        try bed.engine.addService(EngineBed.service())
        try bed.engine.addDestination(server, to: EngineBed.key())
        let slot = try #require(bed.record()).destination(0).slot
        bed.engine.slots.destination(slot).bind(isTemplate: false, isActive: true)
        try bed.engine.removeDestination(server.key, of: EngineBed.key())
        bed.advance(to: 1000)
        try bed.engine.addDestination(server, to: EngineBed.key())
        #expect(bed.record()?.destination(0).slot == slot && bed.servers()[0].activeConnections == 1)
    }

    /// "Deleting and adding the whole service zeroes them"; connections are kept all the same.
    @Test func aServiceAddedAgainBeginsAtZero() throws {
        let bed = EngineBed()
        let server = EngineBed.server("10.0.2.11:80")
        try bed.engine.addService(EngineBed.service())
        try bed.engine.addDestination(server, to: EngineBed.key())
        let old = try #require(bed.record())
        bed.engine.slots.destination(old.destination(0).slot).bind(isTemplate: false, isActive: true)
        bed.engine.serviceRow(worker: 0).countIn(old.slot, bytes: 50)
        bed.engine.destinationRow(worker: 0).countIn(old.destination(0).slot, bytes: 50)
        bed.advance(to: 4)
        try bed.engine.removeService(EngineBed.key())
        try bed.engine.addService(EngineBed.service())
        try bed.engine.addDestination(server, to: EngineBed.key())
        bed.advance(from: 5, to: 10)
        let status = try #require(bed.engine.service(EngineBed.key()))
        #expect(status.counters == TrafficCounters() && status.destinations[0].counters == TrafficCounters())
        #expect(status.rates == TrafficCounters())
        #expect(status.destinations[0].activeConnections == 1)
    }

    @Test func theSameServerOfAnotherServiceIsAnother() throws {
        let bed = EngineBed()
        let server = EngineBed.server("10.0.2.11:80")
        try bed.engine.addService(EngineBed.service())
        try bed.engine.addService(EngineBed.service("203.0.113.81:80"))
        try bed.engine.addDestination(server, to: EngineBed.key())
        let slot = try #require(bed.record()).destination(0).slot
        try bed.engine.removeDestination(server.key, of: EngineBed.key())
        try bed.engine.addDestination(server, to: EngineBed.key("203.0.113.81:80"))
        #expect(try #require(bed.record("203.0.113.81:80")).destination(0).slot != slot)
        try bed.engine.addDestination(server, to: EngineBed.key())
        #expect(bed.record()?.destination(0).slot == slot)
    }

    @Test func deletionAsksForAFlushWhereItIsWanted() throws {
        let bed = EngineBed()
        try bed.engine.addService(EngineBed.service())
        try bed.engine.addDestination(EngineBed.server("10.0.2.11:80"), to: EngineBed.key())
        try bed.engine.addDestination(EngineBed.server("10.0.2.12:80"), to: EngineBed.key())
        try bed.engine.removeDestination(EngineBed.server("10.0.2.12:80").key, of: EngineBed.key())
        #expect(bed.engine.view.flushCount == 0)
        bed.engine.settings[.expireNodestConn] = 1
        try bed.engine.removeDestination(EngineBed.server("10.0.2.11:80").key, of: EngineBed.key())
        #expect(bed.engine.view.flushCount == 1)
        try bed.engine.removeService(EngineBed.key())
        #expect(bed.engine.view.flushCount == 2)
    }
}
