import Balancer
import TestSupport
import Testing
import Wire

@testable import Configuration

@Suite struct ConfigurationReaderTests {
    @Test func readsTheExample() throws {
        let file = try ConfigurationFile(yaml: try Examples.text("docs/fairlead.yaml"))
        #expect(file.interfaces.map(\.name) == ["client0", "servers0", "uplink0"])
        #expect(file.interfaces[1].mtu == 1600 && file.interfaces[1].networks?.count == 2)
        #expect(file.workers == 1 && file.connections == 262_144)
        #expect(file.timeouts == Timeouts(tcp: 900, tcpFin: 120, udp: 300))
        #expect(file.settings == [.connReuseMode: 1, .expireNodestConn: 1])
        #expect(file.marks.map(\.mark.description)[0] == "--dst 198.18.10.84 --proto tcp --dport 80 --mark 7")
        #expect(file.marks.count == 2 && file.marks[1].mark.interface == "client0" && file.marks[1].line == 20)
        #expect(file.services.count == 8 && file.rules.destinationCount == 15)

        let web = file.services[0].rule
        #expect(web.service.scheduler == .wrr && web.service.persistence == nil)
        #expect(web.destinations.map(\.weight) == [1, 2, 0])
        #expect(web.destinations.allSatisfy { $0.method == .masquerading && $0.key.port == 8080 })
        let secure = file.services[1].rule
        #expect(secure.service.persistence == Persistence(timeout: 300, prefixLength: 24))
        #expect(secure.service.prefixLength == 24)
        #expect(secure.destinations[0].upperThreshold == 1000 && secure.destinations[0].lowerThreshold == 800)
        // Without a port of its own a destination has the service's.
        #expect(secure.destinations.map(\.key.port) == [443, 443])
        let names = file.services[2].rule.service
        #expect(names.isOnePacket && names.key.title == "UDP 198.18.10.80:53")
        let maglev = file.services[3].rule
        #expect(maglev.service.tableSize == 4093 && maglev.service.schedulerFlags == .port)
        #expect(maglev.destinations[1].tunnel == TunnelOptions(kind: .gue, port: 6080, checksum: .full))
        let edge = file.services[4]
        #expect(edge.rule.localAddresses.count == 2 && edge.rule.service.clientAddress == .tcpOption)
        #expect(edge.expectedConnections == 100_000)
        #expect(file.services[5].rule.service.key.family == .v6)
        #expect(file.services[6].rule.service.key == .mark(7, family: .v4))
        #expect(file.services[7].rule.localAddresses == [IPAddress(v4: 0xc612_0266)])
    }

    @Test(arguments: Examples.bad)
    func saysWhatIsWrongAndWhere(bad: Examples.Bad) throws {
        let error = try #require(throws: ConfigurationError.self) { try ConfigurationFile(yaml: bad.yaml) }
        #expect(error.problems.contains { $0.line == bad.line && $0.message.contains(bad.says) }, "\(error)")
        #expect(error.problems.allSatisfy { $0.line > 0 && $0.column > 0 })
    }

    @Test(arguments: [
        ("services: [", 2, "not readable as YAML"),
        ("services: []\nservices: []", 1, "\"services\" given more than once"),
        ("services: []\n---\nservices: []", 2, "found another document"), ("a: *b", 1, "undefined alias"),
        ("", 0, "empty"),
        ("\tservices: []", 1, "not readable as YAML"),
    ])
    func saysWhereYAMLBreaks(text: String, line: Int, says: String) throws {
        let error = try #require(throws: ConfigurationError.self) { try ConfigurationFile(yaml: text) }
        #expect(error.problems.count == 1 && error.problems[0].message.contains(says), "\(error)")
        #expect(error.problems[0].line == line, "\(error)")
    }

    /// Everything that is wrong is said at once.
    @Test func goesOnBehindAMistake() throws {
        let text = "wrokers: 1\nservices:\n  - {address: x}\n  - {address: \"198.18.10.80:80\", scheduler: q}\n"
        let error = try #require(throws: ConfigurationError.self) { try ConfigurationFile(yaml: text) }
        #expect(error.problems.map(\.line) == [1, 3, 4])
    }

    /// Random bytes, and the example with a change: read or refused, never a trap.
    @Test func survivesAnything() throws {
        var random = SeededRandom(seed: 11)
        let example = Array(try Examples.text("docs/fairlead.yaml").utf8)
        for round in 0..<300 {
            var bytes = example
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 32...126, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.removeSubrange(place..<min(place + 40, bytes.count))
                }
            }
            do throws(ConfigurationError) {
                _ = try ConfigurationFile(yaml: String(decoding: bytes, as: UTF8.self))
            } catch {
                #expect(!error.problems.isEmpty, "round \(round)")
            }
        }
    }
}
