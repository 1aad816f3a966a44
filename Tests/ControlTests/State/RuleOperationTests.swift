import Balancer
import Configuration
import Testing
import Wire

@testable import Control

@Suite struct RuleOperationTests {
    @Test func allOrNothing() throws {
        let bed = try RuleBed(services: 3, destinations: 8)
        bed.connect(4, 0)
        let before = bed.rules
        let revision = bed.withEngine { $0.revision }
        // The changes come first and the last addition finds no room.
        let wanted = try ConfigurationFile(
            yaml: """
                services:
                  - address: 198.18.10.80:80
                    scheduler: mh
                    method: nat
                    destinations: [{address: 198.18.2.11:80, weight: 5}, 198.18.2.12:80, 198.18.2.14:80, 198.18.2.15:80]
                  - {address: 198.18.10.80:90, method: nat, destinations: [198.18.2.1, 198.18.2.2, 198.18.2.3]}
                """
        ).rules
        let refusal = #expect(throws: RuleRefusal.self) {
            try bed.withEngine { engine in
                Result { try engine.apply(RulePlanner(wanted, engine: engine).operations) }
            }.get()
        }
        #expect(refusal?.description == "TCP 198.18.10.80:90, real server 198.18.2.2:80: there is no room for more services or destinations (deleted ones keep theirs for 2 minutes)")
        #expect(bed.rules == before)
        #expect(bed.withEngine { $0.revision } > revision)
        let status = try #require(bed.withEngine { $0.service(RuleBed.key(80)) })
        #expect(status.destinations.map(\.activeConnections) == [4, 0, 0])
        #expect(status.service.scheduler == .wrr)
        // What workers read is as before too.
        let record = bed.withEngine { engine in
            engine.serviceTable.find(transportProtocol: 6, address: .init(v4: 0xc612_0a50), port: 80, mark: 0)?.record.count
        }
        #expect(record == 3)
    }

    @Test func whatStaysIsNotTouched() throws {
        let bed = try RuleBed()
        bed.connect(7, 1)
        let slots = bed.withEngine { engine in
            engine.serviceTable.find(transportProtocol: 6, address: .init(v4: 0xc612_0a50), port: 80, mark: 0).map {
                service in (0..<3).map { service.record.destination($0).slot }
            }
        }
        let wanted = try ConfigurationFile(yaml: RuleBed.yaml.replacing("198.18.2.13:80", with: "198.18.2.14:80")).rules
        try bed.withEngine { engine in Result { try engine.apply(RulePlanner(wanted, engine: engine).operations) } }
            .get()
        let after = bed.withEngine { engine in
            engine.serviceTable.find(transportProtocol: 6, address: .init(v4: 0xc612_0a50), port: 80, mark: 0).map {
                service in (0..<3).map { service.record.destination($0).slot }
            }
        }
        // 198.18.2.12 and .11, behind the new one, are the same objects.
        #expect(after?.dropFirst().map(\.self) == slots?.dropFirst().map(\.self))
        #expect(bed.withEngine { $0.service(RuleBed.key(80)) }?.destinations[1].activeConnections == 7)
    }
}
