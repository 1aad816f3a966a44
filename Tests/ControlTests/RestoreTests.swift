import Balancer
import Control
import Testing
import Wire

/// What is saved can be restored: by hand-picked rules here, by random command lines in `GrammarFuzzTests`.
@Suite struct RestoreTests {
    private let executor = CommandExecutor.recorded

    @Test func thresholdsAreSavedWhenAskedForAndRestored() {
        let table = KernelRuleTable()
        let rules = """
            -A -t 203.0.113.80:80 -s wlc -p 360
            -a -t 203.0.113.80:80 -r 10.0.2.12:8080 -m -w 65535 -x 100000 -y 99
            -a -t 203.0.113.80:80 -r 10.0.9.11:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum

            """
        #expect(executor.execute(["-R"], standardInput: rules, on: table) == CommandResult())
        let plain = executor.execute(["-Sn"], on: table).standardOutput
        #expect(!plain.contains("-x"))
        let full = executor.execute(["-S", "-n", "--thresholds"], on: table).standardOutput
        #expect(Set(full.split(separator: "\n")) == Set(rules.split(separator: "\n")))
        let always = CommandExecutor(resolver: FixedResolver.wellKnown, savesThresholds: true)
        #expect(always.execute(["-Sn"], on: table).standardOutput == full)
    }

    @Test func marksThatIpvsadmSavesAsNegativeAreRestored() {
        let table = KernelRuleTable()
        #expect(executor.execute(["-A", "-f", "4294967295", "-6", "-s", "rr"], on: table).status == 0)
        let saved = executor.execute(["-Sn"], on: table).standardOutput
        #expect(saved == "-A -f -1 -6 -s rr\n")
        let other = KernelRuleTable()
        #expect(executor.execute(["-R"], standardInput: saved, on: other).status == 0)
        #expect(other.services().map(\.service.key) == [.mark(.max, family: .v6)])
    }

    @Test func flagsOfSourceHashingAreNamedSoThatTheyCanBeRestored() {
        let table = KernelRuleTable()
        #expect(executor.execute(["-A", "-t", "192.0.2.1:80", "-s", "sh", "-b", "flag-3"], on: table).status == 0)
        #expect(executor.execute(["-Sn"], on: table).standardOutput == "-A -t 192.0.2.1:80 -s sh -b flag-3\n")
    }

    @Test func masksWithHolesAreRefusedOnceTheServiceIsNotThere() {
        let table = KernelRuleTable()
        let arguments = ["-A", "-t", "192.0.2.1:80", "-p", "-M", "255.0.255.0"]
        let refused = executor.execute(arguments, on: table)
        #expect(refused.status == 2)
        #expect(refused.standardError == "illegal virtual server persistent mask specified\n")
        #expect(table.services().isEmpty)
    }

    @Test(arguments: ["sip", "nosuch"]) func thereIsNoPersistenceEngine(name: String) {
        let result = executor.execute(["-A", "-u", "192.0.2.1:80", "-p", "--pe", name], on: KernelRuleTable())
        #expect(result.status == 255 && result.standardError == "Scheduler or persistence engine not found\n")
    }

    @Test func mappedAddressesAreRefused() {
        let result = executor.execute(["-A", "-t", "[::ffff:192.0.2.1]:80"], on: KernelRuleTable())
        #expect(result.status == 2)
    }

    @Test func synchronisationCannotBeStarted() {
        let result = executor.execute(["--start-daemon", "master"], on: KernelRuleTable())
        #expect(result.status == 255 && result.standardError == "Connection synchronisation is not supported\n")
    }

    /// ipvsadm has no word for a masquerade rule: an edit leaves it, and `-S` writes what can be restored.
    @Test func aMasqueradeRuleStaysAndIsNotWritten() throws {
        let table = Engine(EngineConfiguration(entries: 64, services: 8, destinations: 8, secret: HashSecret(1, 2)))
        let key = ServiceKey.address(
            transportProtocol: IPProtocol.tcp, address: IPAddress(v4: 0xcb00_7150), port: 80)
        var service = VirtualService(key: key, scheduler: .rr)
        service.masquerade = .all
        try table.addService(service)
        try table.addLocalAddress(IPAddress(v4: 0x0a00_02c8), to: key)
        let executor = CommandExecutor.recorded
        #expect(executor.execute(["-E", "-t", "203.0.113.80:80", "-s", "wlc"], on: table) == CommandResult())
        #expect(table.service(key)?.service.masquerade == .all)
        #expect(executor.execute(["-Sn"], on: table).standardOutput == "-A -t 203.0.113.80:80 -s wlc\n")
    }
}
