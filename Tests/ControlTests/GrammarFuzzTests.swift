import Balancer
import Control
import TestSupport
import Testing
import Wire

/// Random command lines: each has an effect that save and restore reproduce, or a message and a status.
@Suite struct GrammarFuzzTests {
    /// A small generator (Marsaglia's xorshift64) so that a failure can be had again from its number.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
    }

    private static let commands = [
        "-A", "-A", "-A", "-E", "-D", "-a", "-a", "-a", "-e", "-d", "-L", "-Ln", "-Z", "-S", "-Sn", "--set", "-C",
        "--start-daemon", "--stop-daemon", "-h", "--version", "--add-service", "--list", "-Q", "-P", "-P",
        "--del-laddr", "-G", "--get-laddr", "",
    ]
    private static let services = [
        ["-t", "203.0.113.80:80"], ["-t", "203.0.113.81:0"], ["-u", "203.0.113.80:53"], ["-t", "[2001:db8::80]:443"],
        ["--sctp-service", "10.0.2.1:132"], ["-f", "5"], ["-f", "6", "-6"], ["-f", "4294967295"], ["-t", "bad"],
        ["--tcp-service=203.0.113.80:80"], ["-u", "10.0.0.1:domain"], ["-t"], ["-f"], ["-t", "2001:db8::1"],
    ]
    private static let options = [
        ["-s", "rr"], ["-s", "sh"], ["-s", "mh"], ["-s", "nosuch"], ["-s"], ["-p"], ["-p", "100"], ["-p0"],
        ["-M", "255.255.0.0"], ["-M", "64"], ["-M", "0.0.0.0"], ["-o"], ["-b", "sh-port"], ["-b", "mh-fallback"],
        ["-b", "flag-1,flag-3"], ["-b", "x"], ["--pe", "sip"], ["-r", "10.0.2.11:80"], ["-r", "10.0.2.12"],
        ["-r", "[2001:db8:2::11]:80"], ["-r", "224.0.0.1"], ["-m"], ["-g"], ["-i"], ["-w", "0"], ["-w", "70000"],
        ["-w", "-1"], ["-x", "10"], ["-y", "5"], ["-y", "50"], ["--tun-type", "gue"], ["--tun-type", "gre"],
        ["--tun-port", "6080"], ["--tun-csum"], ["--tun-remcsum"], ["-n"], ["-c"], ["--stats"], ["--rate"],
        ["--exact"], ["--thresholds"], ["--persistent-conn"], ["--tun-info"], ["--timeout"], ["--daemon"],
        ["--fullnat"], ["-b"], ["--toa"], ["--proxy-protocol", "v2"], ["--proxy-protocol", "disable"],
        ["-z", "10.0.2.101"], ["-z", "2001:db8:2::101"], ["-z", "127.0.0.1"], ["--laddr", "203.0.113.80"],
        ["-z", "bad"], ["--source-rate", "10/s,burst=5"], ["--conn-timeout", "30,0,9"], ["--table-size", "65537"],
        ["--conn-timeout", "x"], ["-F", "eth0"], ["--nosort"], ["--sort"], ["1", "2", "3"], ["master"], ["--"], ["-"],
        ["extra"],
        ["--weight=5"], ["-6"],
        ["\u{0}"], ["-\u{301}"], ["[::1]:80"], ["--exact=1"], ["-w=8"], ["-mw", "9"],
    ]

    private static func line(_ random: inout Generator) -> [String] {
        var words: [String] = []
        if let command = commands.randomElement(using: &random), !command.isEmpty { words.append(command) }
        var parts: [[String]] = []
        if Int.random(in: 0..<10, using: &random) > 0 { parts.append(services.randomElement(using: &random) ?? []) }
        for _ in 0..<Int.random(in: 0...5, using: &random) { parts.append(options.randomElement(using: &random) ?? []) }
        // A server where one is wanted most of the time, so that destinations come about.
        if words.first.map({ ["-a", "-e", "-d"].contains($0) }) == true, Int.random(in: 0..<4, using: &random) > 0 {
            parts.append(["-r", "10.0.2.\(Int.random(in: 11...14, using: &random)):80"])
        }
        if let command = words.first, command == "-P" || command == "--del-laddr",
            Int.random(in: 0..<4, using: &random) > 0
        {
            parts.append(["-z", "10.0.2.\(Int.random(in: 101...103, using: &random))"])
        }
        parts.shuffle(using: &random)
        words += parts.joined()
        if Int.random(in: 0..<20, using: &random) == 0 { words.shuffle(using: &random) }
        return words
    }

    /// 100,000 lines in all.
    @Test(arguments: 1...10 as ClosedRange<UInt64>)
    func everyRandomLineIsCarriedOutOrRefused(seed: UInt64) {
        let executor = CommandExecutor.recorded
        var random = Generator(state: 0x9e37_79b9_7f4a_7c15 &* seed)
        let table = Self.engine()
        var rules = Rules(table)
        var effects = 0
        for number in 0..<TestScale.count(10_000) {
            // Time goes on, so that deleted servers are let go.
            table.advance(milliseconds: UInt64(number) * 500)
            let line = Self.line(&random)
            let before = table.revision
            let isRestored = Int.random(in: 0..<20, using: &random) == 0
            let result =
                isRestored
                ? executor.execute(["-R"], standardInput: line.joined(separator: " ") + "\n", on: table)
                : executor.execute(line, on: table)
            let label = "seed \(seed), line \(number): \(line)"
            if result.status != 0 {
                #expect(!result.standardError.isEmpty, "\(label)")
                #expect(table.revision == before || Rules(table) == rules, "\(label)")
                continue
            }
            #expect(result.standardError.isEmpty, "\(label)")
            guard table.revision != before else { continue }
            let after = Rules(table)
            guard after != rules else { continue }
            rules = after
            effects += 1
            let saved = executor.execute(["-Sn", "--thresholds"], on: table).standardOutput
            let copy = Self.engine()
            #expect(executor.execute(["-R"], standardInput: saved, on: copy) == CommandResult(), "\(label)")
            #expect(Rules(copy) == rules, "\(label)")
        }
        #expect(effects > TestScale.count(10_000) / 200)
    }

    private static func engine() -> Engine {
        Engine(EngineConfiguration(entries: 64, services: 64, destinations: 1024, secret: HashSecret(1, 2)))
    }

    /// What the rules say, without what goes on under them; servers in no order, local addresses in theirs.
    private struct Rules: Equatable {
        struct Service: Equatable {
            var service: VirtualService
            var destinations: Set<Destination>
            var localAddresses: [IPAddress]
        }

        var services: [ServiceKey: Service] = [:]

        init(_ table: Engine) {
            for status in table.services() {
                services[status.service.key] = Service(
                    service: status.service, destinations: Set(status.destinations.map(\.destination)),
                    localAddresses: status.localAddresses.map(\.address))
            }
        }
    }
}
