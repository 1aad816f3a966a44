import Balancer
import TestSupport
import Testing
import Wire

@testable import Configuration

@Suite struct ConfigurationTextTests {
    @Test func writesWhatItReads() throws {
        let rules = try ConfigurationFile(yaml: try Examples.text("docs/fairlead.yaml")).rules
        let text = ConfigurationText(rules).yaml
        #expect(try ConfigurationFile(yaml: text).rules == rules)
        #expect(ConfigurationText(RuleState()).yaml == "services: []\n")
    }

    /// Whatever rules an engine holds come back from their text.
    @Test func anyRulesComeBack() throws {
        var random = SeededRandom(seed: 12)
        for _ in 0..<200 {
            var rules = RuleState()
            if Bool.random(using: &random) { rules.timeouts = Timeouts(tcp: 1, tcpFin: 2_678_400, udp: 3) }
            if Bool.random(using: &random) { rules.settings = [.dropEntry: 3, .secureTcp: .max] }
            for number in 0..<Int.random(in: 0...3, using: &random) {
                rules.marks.append(Self.mark(UInt32(number + 1), &random))
            }
            for number in 0..<Int.random(in: 0...4, using: &random) {
                rules.services.append(Self.service(UInt16(number + 1), &random))
            }
            let text = ConfigurationText(rules).yaml
            #expect(try ConfigurationFile(saved: text).rules == rules, "\(text)")
        }
    }

    private static func mark(_ number: UInt32, _ random: inout SeededRandom) -> NamedMark {
        let family: AddressFamily = Bool.random(using: &random) ? .v4 : .v6
        let length = Int.random(in: 0...family.bits, using: &random)
        var rule = MarkRule(
            destination: address(family, &random).masked(length), destinationLength: length, mark: number)
        if Bool.random(using: &random) { (rule.source, rule.sourceLength) = (address(family, &random), family.bits) }
        if Bool.random(using: &random) {
            (rule.transportProtocol, rule.destinationPort) = (IPProtocol.sctp, .random(in: 1 ... .max, using: &random))
        } else {
            rule.transportProtocol = 47
        }
        return NamedMark(rule: rule, interface: Bool.random(using: &random) ? "eth0.7" : nil)
    }

    private static func address(_ family: AddressFamily, _ random: inout SeededRandom) -> IPAddress {
        family == .v4
            ? IPAddress(v4: .random(in: 0x0a00_0001...0x0aff_ffff, using: &random))
            : IPAddress(high: 0x2001_0db8_0000_0000, low: .random(in: 1 ... .max, using: &random))
    }

    private static func service(_ number: UInt16, _ random: inout SeededRandom) -> RuleState.Service {
        let family: AddressFamily = Bool.random(using: &random) ? .v4 : .v6
        let transports = [IPProtocol.tcp, IPProtocol.udp, IPProtocol.sctp]
        let key: ServiceKey =
            Int.random(in: 0..<5, using: &random) == 0
            ? .mark(UInt32(number), family: family)
            : .address(
                transportProtocol: transports.randomElement(using: &random) ?? IPProtocol.tcp,
                address: address(family, &random), port: number)
        var service = VirtualService(
            key: key, scheduler: SchedulerKind.allCases.randomElement(using: &random) ?? .rr,
            schedulerFlags: SchedulerFlags(rawValue: .random(in: 0...7, using: &random)),
            persistence: Bool.random(using: &random)
                ? Persistence(
                    timeout: .random(in: 1...2_678_400, using: &random),
                    prefixLength: .random(in: 1...family.bits, using: &random)) : nil,
            isOnePacket: Bool.random(using: &random))
        if Bool.random(using: &random) { service.timeouts = Timeouts(tcp: 5, tcpFin: 0, udp: 7) }
        if Bool.random(using: &random) {
            service.sourceRate = SourceRate(connections: 5, period: .hour, burst: 9, family: family)
        }
        if Bool.random(using: &random) { service.masquerade = .nodePort }
        if service.scheduler == .maglev { service.tableSize = 509 }
        service.clientAddress = ClientAddressCarrier.allCases.randomElement(using: &random) ?? .none
        var keys: Set<DestinationKey> = []
        let destinations = (0..<Int.random(in: 0...4, using: &random)).map { _ in
            let methods: [ForwardingMethod] = [.masquerading, .directRouting, .tunneling, .fullNAT]
            var destination = Destination(
                key: DestinationKey(
                    address: address(family, &random), port: .random(in: 0 ... .max, using: &random)),
                method: methods.randomElement(using: &random) ?? .masquerading,
                weight: .random(in: 0...3, using: &random))
            if Bool.random(using: &random) {
                destination.upperThreshold = .random(in: 1 ... .max, using: &random)
                destination.lowerThreshold = .random(in: 0...destination.upperThreshold, using: &random)
            }
            if destination.method == .tunneling, Bool.random(using: &random) {
                destination.tunnel = TunnelOptions(
                    kind: .gue, port: .random(in: 1 ... .max, using: &random), checksum: .remote)
            }
            return destination
        }.filter { keys.insert($0.key).inserted }
        return RuleState.Service(
            service: service, destinations: destinations,
            localAddresses: Bool.random(using: &random) ? [address(.v4, &random), address(.v6, &random)] : [])
    }
}
