import Balancer
import Testing
import Wire

@testable import Control

/// The options that ipvsadm does not have: what is written, saved, listed and restored, and what is refused.
@Suite struct ServiceOptionsTests {
    private func engine() -> Engine {
        Engine(EngineConfiguration(entries: 64, services: 8, destinations: 8, secret: HashSecret(1, 2)))
    }
    private func run(_ line: String, _ engine: Engine, input: String = "") -> CommandResult {
        CommandExecutor(resolver: FixedResolver.wellKnown).execute(
            line.split(separator: " ").map(String.init), standardInput: input, on: engine)
    }

    /// As it is written, as it is saved, and how it is listed behind the scheduler's name.
    @Test(arguments: [
        ("-s rr --source-rate 5", "-s rr --source-rate 5/s", "rr source-rate 5/s"),
        (
            "-s rr --source-rate 5/m,burst=9,prefix=24", "-s rr --source-rate 5/m,burst=9,prefix=24",
            "rr source-rate 5/m,burst=9,prefix=24"
        ),
        ("-s rr --source-rate 5/h,prefix=32,burst=5", "-s rr --source-rate 5/h", "rr source-rate 5/h"),
        ("-s rr --conn-timeout 90", "-s rr --conn-timeout 90,0,90", "rr conn-timeout 90,0,90"),
        (
            "-s wrr -p 10 --conn-timeout 0,30,0", "-s wrr -p 10 --conn-timeout 0,30,0",
            "wrr persistent 10 conn-timeout 0,30,0"
        ),
        ("-s rr --conn-timeout 0", "-s rr", "rr"),
        ("-s maglev --table-size 251", "-s maglev --table-size 251", "maglev table-size 251"),
        (
            "-s maglev --table-size 131071 --source-rate 1 --conn-timeout 1,2,3",
            "-s maglev --source-rate 1/s --conn-timeout 1,2,3 --table-size 131071",
            "maglev source-rate 1/s conn-timeout 1,2,3 table-size 131071"
        ),
    ])
    func writtenSavedAndListed(written: String, saved: String, listed: String) throws {
        let engine = engine()
        let service = "-A -t 203.0.113.80:80"
        #expect(run("\(service) \(written)", engine) == CommandResult())
        let text = run("-S -n", engine).standardOutput
        #expect(text == "\(service) \(saved)\n")
        #expect(
            run("-L -n", engine).standardOutput.split(separator: "\n").last.map(String.init)
                == "TCP  203.0.113.80:80 \(listed)")
        let before = try #require(engine.services().first).service
        engine.removeAllServices()
        #expect(run("-R", engine, input: text) == CommandResult())
        #expect(try #require(engine.services().first).service == before)
        // What an edit leaves out returns to its default.
        _ = run("-E -t 203.0.113.80:80 -s rr", engine)
        #expect(run("-S -n", engine).standardOutput == "\(service) -s rr\n")
    }

    @Test(arguments: [
        "--source-rate 0", "--source-rate x", "--source-rate 5/d", "--source-rate 5/", "--source-rate -1",
        "--source-rate 5,burst", "--source-rate 5,burst=0", "--source-rate 5,burst=1,burst=2",
        "--source-rate 5,prefix=33", "--source-rate 100001", "--source-rate 1/h,burst=1000", "--source-rate 5,,",
        "--conn-timeout 1,2", "--conn-timeout -1", "--conn-timeout a", "--conn-timeout 1,2,3,4",
        "--conn-timeout 2678401", "--table-size 251", "-s maglev --table-size 250", "-s maglev --table-size 0",
        "-s maglev --table-size many",
    ])
    func wrongOnesAreNamed(options: String) {
        let engine = engine()
        let result = run("-A -t 203.0.113.80:80 \(options)", engine)
        #expect(result.status == 2 && !result.standardError.isEmpty, "\(result)")
        #expect(engine.services().isEmpty)
    }

    @Test(arguments: ["-a -t 203.0.113.80:80 -r 10.0.2.11:80", "-L", "-D -t 203.0.113.80:80", "-S"])
    func belongToServicesOnly(command: String) {
        let engine = engine()
        _ = run("-A -t 203.0.113.80:80", engine)
        #expect(
            run("\(command) --source-rate 5", engine).standardError.contains("Illegal 'source-rate' option"))
    }

    /// They reach what the packet path reads.
    @Test func reachTheDestinations() throws {
        let engine = engine()
        _ = run("-A -u 203.0.113.80:53 --conn-timeout 5,6,7", engine)
        _ = run("-a -u 203.0.113.80:53 -r 10.0.2.11:53 -m", engine)
        let address = try #require(IPAddress("203.0.113.80"))
        let record = try #require(
            engine.serviceTable.find(transportProtocol: IPProtocol.udp, address: address, port: 53, mark: 0)
        ).record
        #expect(engine.slots.destination(record.destination(0).slot).udpTimeout == Ticks.seconds(7))
        _ = run("-E -u 203.0.113.80:53", engine)
        #expect(engine.slots.destination(record.destination(0).slot).udpTimeout == 0)
    }
}
