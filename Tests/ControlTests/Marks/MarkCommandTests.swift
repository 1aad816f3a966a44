import Balancer
import Control
import Testing
import Wire

/// `fairlead mark`, and the lines of a rules file.
@Suite struct MarkCommandTests {
    private let engine = Engine(
        EngineConfiguration(entries: 64, services: 8, destinations: 8, secret: HashSecret(1, 2)))

    private func run(_ line: String) -> CommandResult {
        MarkCommand.run(line.split(separator: " ").map(String.init), on: engine, interfaces: ["eth0", "eth1"])
    }

    @Test func whatIsListedCanBeAddedAgain() {
        let lines = [
            "add --dst 203.0.113.80 --proto tcp --dport 80 --mark 5", "add --dst 203.0.114.0/24 --mark 5",
            "add --src 2001:db8:1::/48 --dst 2001:db8::80 --proto udp --sport 53 --dport 4000 --interface eth1 --mark 7",
            "add --src 192.0.2.0/24 --proto 47 --mark 4294967295", "add --dst 203.0.113.80 --proto icmp --mark 6",
        ]
        for line in lines { #expect(run(line) == CommandResult()) }
        #expect(run("list").standardOutput == lines.map { "mark \($0)\n" }.joined())
        let rule = engine.markRules[2]
        #expect(rule.interface == 1 && rule.sourceLength == 48 && rule.sourcePort == 53 && rule.mark == 7)
        #expect(run(lines[1].replacing("add", with: "delete")) == CommandResult())
        #expect(engine.markRules.map(\.mark) == [5, 7, .max, 6])
    }

    @Test(
        arguments: [
            ("", "add, list or delete"), ("lst", "add, list or delete"), ("list all", "add, list or delete"),
            ("add", "--mark is missing"), ("add --mark 5", "give --dst or --src"), ("add --mark", "wants a value"),
            ("add --dst 1.2.3.4 --mark 0", "from 1 to"), ("add --dst 1.2.3.4 --mark x", "from 1 to"),
            ("add --dst 1.2.3.4/33 --mark 5", "ADDRESS/BITS"), ("add --dst 1.2.3.4/24 --mark 5", "1.2.3.0/24 has none"),
            ("add --dst 1.2.3.4 --src ::1 --mark 5", "different families"),
            ("add --dst 1.2.3.4 --dport 80 --mark 5", "want --proto"),
            ("add --dst 1.2.3.4 --proto icmp --dport 80 --mark 5", "want --proto"),
            ("add --dst 1.2.3.4 --proto tcp --dport 70000 --mark 5", "from 1 to 65535"),
            ("add --dst 1.2.3.4 --proto tpc --mark 5", "tcp, udp, sctp"),
            ("add --dst 1.2.3.4 --interface eth7 --mark 5", "not one of eth0, eth1"),
            ("add --dst 1.2.3.4 --dst 1.2.3.5 --mark 5", "given twice"), ("add --port 80", "unknown"),
            ("add --dst 203.0.113.80 --mark 5", "already"), ("delete --dst 203.0.113.81 --mark 5", "no such rule"),
        ])
    func refusesWithTheReason(line: String, reason: String) {
        #expect(run("add --dst 203.0.113.80 --mark 5") == CommandResult())
        let result = run(line)
        #expect(result.status != 0 && result.standardError.contains(reason), "\(result)")
        #expect(engine.markRules.count == 1)
    }
}
