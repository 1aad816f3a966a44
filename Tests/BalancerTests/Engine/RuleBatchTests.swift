import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct RuleBatchTests {
    private func at(_ port: Int) -> Endpoint { Endpoint(IPAddress(v4: 0xcb00_7150), UInt16(port)) }

    @Test func workersSeeAllOfItOrNothing() throws {
        let bed = EngineBed()
        let engine = bed.engine
        try engine.addService(EngineBed.service())
        let revision = engine.revision
        try engine.changeRules {
            try engine.addDestination(EngineBed.server("10.0.2.11:80"), to: EngineBed.key())
            try engine.addService(EngineBed.service("203.0.113.80:81"))
            // Rules are as changed, what workers read is not.
            #expect(bed.servers().count == 1 && engine.services().count == 2)
            #expect(bed.record()?.count == 0 && bed.record("203.0.113.80:81") == nil)
            try engine.changeRules {
                try engine.addDestination(EngineBed.server("10.0.2.12:80"), to: EngineBed.key())
            }
            #expect(bed.record()?.count == 0)
        }
        #expect(bed.record()?.count == 2 && bed.record("203.0.113.80:81") != nil)
        #expect(engine.revision > revision)
    }

    @Test func whatWasDoneBeforeAnErrorStays() throws {
        let bed = EngineBed()
        let error = EngineBed.error {
            try bed.engine.changeRules {
                try bed.engine.addService(EngineBed.service())
                try bed.engine.removeService(EngineBed.key("203.0.113.80:81"))
            }
        }
        #expect(error == .noSuchService && bed.record() != nil)
    }

    @Test func aServiceMayGoAndComeBack() throws {
        let bed = EngineBed()
        let engine = bed.engine
        for port in 1...5 { try engine.addService(EngineBed.service(at(port))) }
        try engine.changeRules {
            for port in 2...4 { try engine.removeService(EngineBed.key(at(port))) }
            #expect(engine.services().map(\.service.key.port) == [1, 5])
            try engine.addService(EngineBed.service("203.0.113.80:3"))
            #expect(engine.services().map(\.service.key.port) == [1, 5, 3])
        }
        #expect(engine.services().map(\.service.key.port) == [1, 5, 3])
        #expect(engine.serviceTable.count == 3 && bed.record("203.0.113.80:2") == nil)
        engine.changeRules { engine.removeAllServices() }
        #expect(engine.services().isEmpty && engine.serviceTable.count == 0)
        var seen = 0
        engine.forEachRule { _, _, _ in seen += 1 }
        #expect(seen == 0)
    }

    @Test func namesTheServicesThatChanged() throws {
        let bed = EngineBed(services: 128)
        let engine = bed.engine
        try engine.addService(EngineBed.service())
        try engine.addDestination(EngineBed.server("10.0.2.11:80"), to: EngineBed.key())
        #expect(engine.takeChangedServices() == [EngineBed.key()] && engine.ruleCount == 2)
        #expect(engine.takeChangedServices() == [])
        try engine.addService(EngineBed.service("203.0.113.80:81"))
        try engine.removeService(EngineBed.key())
        #expect(engine.takeChangedServices() == [EngineBed.key(), EngineBed.key("203.0.113.80:81")])
        // Too many, or all.
        for port in 1...65 {
            try engine.addService(EngineBed.service(Endpoint(IPAddress(v4: 0xcb00_7151), UInt16(port))))
        }
        #expect(engine.takeChangedServices() == nil && engine.takeChangedServices() == [])
        engine.removeAllServices()
        #expect(engine.takeChangedServices() == nil)
    }

    /// Tables of places are made once a batch; they are the same as those made step by step.
    @Test(arguments: SchedulerKind.allCases)
    func schedulersAreAsIfStepByStep(kind: SchedulerKind) throws {
        func words(isBatch: Bool) throws -> [UInt32] {
            let bed = EngineBed()
            let engine = bed.engine
            func change() throws {
                try engine.addService(EngineBed.service("203.0.113.80:80", kind))
                for host in 1...6 {
                    let endpoint = Endpoint(IPAddress(v4: 0x0a00_0200 + UInt32(host)), 80)
                    try engine.addDestination(EngineBed.server(endpoint, weight: Int32(host)), to: EngineBed.key())
                }
                try engine.removeDestination(
                    DestinationKey(address: IPAddress(v4: 0x0a00_0203), port: 80), of: EngineBed.key())
                try engine.editDestination(EngineBed.server("10.0.2.5:80", weight: 0), of: EngineBed.key())
            }
            if isBatch { try engine.changeRules { try change() } } else { try change() }
            let record = try #require(bed.record())
            let state = engine.slots.service(record.slot)
            return (0..<record.tableCount).map { record.tableValue($0) }
                + [UInt32(bitPattern: record.schedulerNumbers.0), UInt32(bitPattern: record.schedulerNumbers.1)]
                + [UInt32(truncatingIfNeeded: state.cursor), UInt32(truncatingIfNeeded: state.cursor >> 32)]
        }
        #expect(try words(isBatch: true) == (try words(isBatch: false)))
    }
}
