import Balancer
import Foundation
import Testing
import Wire

@testable import Control

@Suite struct DrainMessagesTests {
    private func engine() -> Engine {
        let engine = Engine(
            EngineConfiguration(entries: 64, services: 8, destinations: 8, secret: HashSecret(1, 2)))
        let rules = "-A -t 203.0.113.80:80 -s rr\n-a -t 203.0.113.80:80 -r 10.0.2.11:8080 -m -w 5\n-A -f 7 -s rr\n"
        _ = CommandExecutor(resolver: FixedResolver.wellKnown).execute(["-R"], standardInput: rules, on: engine)
        return engine
    }

    private func ask(
        _ engine: Engine, _ target: String, seconds: Double? = 30, then: String = "reset"
    ) throws -> DrainReply {
        let request = DrainRequest(
            target: target.split(separator: " ").map(String.init), seconds: seconds, then: then, most: 5)
        let reply = DrainRequest.answer(try JSONEncoder().encode(request), engine, resolver: FixedResolver.wellKnown)
        return try JSONDecoder().decode(DrainReply.self, from: reply)
    }

    @Test func beginsAndShows() throws {
        let engine = engine()
        let reply = try ask(engine, "-t 203.0.113.80:80 -r 10.0.2.11:8080")
        #expect(reply.error == nil && reply.phase == "done" && reply.first == 0 && reply.then == "reset")
        #expect(engine.services().flatMap(\.destinations).map(\.destination.weight) == [0])
        #expect(try ask(engine, "-t 203.0.113.80:80 -r 10.0.2.11:8080", seconds: nil).phase == "done")
    }

    @Test(arguments: [
        ("-t 203.0.113.80:80 -r 10.0.2.99:80", "No such destination"),
        ("-t 203.0.113.81:80 -r 10.0.2.11:80", "Service"),
        ("-t 203.0.113.80:80", "real-server"), ("-t nowhere:80 -r 10.0.2.11", "virtual server"),
        ("-t 203.0.113.80:80 -r 10.0.2.11:8080 -w 3", "weight"), ("", "service-address"),
    ])
    func namesWhatIsWrong(target: String, part: String) throws {
        let engine = engine()
        let error = try #require(try ask(engine, target).error)
        #expect(error.contains(part), "\(error)")
        #expect(engine.services().flatMap(\.destinations).map(\.destination.weight) == [5])
    }

    @Test func refusesOtherEndingsAndTimes() throws {
        let target = "-t 203.0.113.80:80 -r 10.0.2.11:8080"
        #expect(try ask(engine(), target, then: "shoot").error?.contains("reset or reassign") == true)
        for seconds in [-1, 1e9] {
            #expect(try ask(engine(), target, seconds: seconds).error?.contains("31 days") == true)
        }
        #expect(try ask(engine(), target, seconds: nil).error?.contains("not being drained") == true)
        let nonsense = DrainRequest.answer(Data("{}".utf8), engine(), resolver: FixedResolver.wellKnown)
        #expect(try JSONDecoder().decode(DrainReply.self, from: nonsense).error?.contains("drain request") == true)
    }
}
