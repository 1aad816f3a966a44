import Balancer
import Testing
import Wire

@testable import Control

/// What a change of a hashing service moved, as the daemon logs it.
@Suite struct DisruptionTextTests {
    private func run(_ line: String, _ engine: Engine) {
        let result = CommandExecutor(resolver: FixedResolver.wellKnown).execute(
            line.split(separator: " ").map(String.init), on: engine)
        #expect(result == CommandResult())
    }

    @Test func changesSayWhatTheyMoved() throws {
        let engine = Engine(EngineConfiguration(entries: 64, services: 8, destinations: 8, secret: HashSecret(1, 2)))
        run("-A -t 203.0.113.80:80 -s maglev --table-size 1021", engine)
        run("-a -t 203.0.113.80:80 -r 10.0.2.11:80 -m", engine)
        #expect(engine.takeTableDisruptions().isEmpty, "the first table takes nothing from anybody")
        run("-a -t 203.0.113.80:80 -r 10.0.2.12:80 -m", engine)
        let (service, disruption) = try #require(engine.takeTableDisruptions().first)
        #expect(disruption.places == 1021 && (510...511).contains(disruption.moved))
        #expect(
            disruption.line(service)
                == "TCP 203.0.113.80:80 maglev: \(disruption.moved) of 1021 places go to another real server, "
                + "\(disruption.unavoidable) had to")
        #expect(engine.takeTableDisruptions().isEmpty, "each change is told once")
        run("-e -t 203.0.113.80:80 -r 10.0.2.12:80 -m -w 0", engine)
        #expect(engine.takeTableDisruptions().isEmpty, "a quiesced server keeps its places")
        run("-E -t 203.0.113.80:80 -s maglev --table-size 2039", engine)
        #expect(engine.takeTableDisruptions().map(\.disruption.moved) == [2039])
        run("-E -t 203.0.113.80:80 -s rr", engine)
        #expect(engine.takeTableDisruptions().isEmpty)
    }

    @Test func marksHaveTheirName() {
        let service = VirtualService(key: .mark(7, family: .v4), scheduler: .mh)
        let disruption = TableDisruption(places: 4093, moved: 12, unavoidable: 10)
        #expect(disruption.line(service) == "FWM 7 mh: 12 of 4093 places go to another real server, 10 had to")
    }
}
