import Balancer
import Control
import Testing
import Wire

/// FULLNAT on the command line: DPVS's options, and ipvsadm 1.31's answers wherever it has one of its own.
@Suite struct FullNATCommandsTests {
    private let executor = CommandExecutor.recorded
    private let table = Engine(
        EngineConfiguration(entries: 64, services: 16, destinations: 32, secret: HashSecret(1, 2)))

    private static let rules = """
        -A -t 203.0.113.80:80 -s rr --toa
        -P -t 203.0.113.80:80 -z 10.0.2.101
        -P -t 203.0.113.80:80 -z 10.0.2.102
        -a -t 203.0.113.80:80 -r 10.0.2.11:8080 --fullnat -w 1
        -A -t [2001:db8::80]:80 -s wlc --proxy-protocol v2
        -P -t [2001:db8::80]:80 -z 2001:db8:2::101
        -P -t [2001:db8::80]:80 -z 10.0.2.101
        -a -t [2001:db8::80]:80 -r 10.0.2.11:80 --fullnat -w 1
        -a -t [2001:db8::80]:80 -r [2001:db8:2::11]:80 --fullnat -w 3

        """

    private func run(_ line: String) -> CommandResult {
        executor.execute(line.split(separator: " ").map(String.init), on: table)
    }

    private func restore(_ text: String = rules) {
        #expect(executor.execute(["-R"], standardInput: text, on: table) == CommandResult())
    }

    @Test func savedRulesRestoreThePool() throws {
        restore()
        let saved = run("-Sn").standardOutput
        #expect(saved == Self.rules)
        #expect(run("-C").status == 0)
        #expect(run("-Sn").standardOutput.isEmpty)
        restore(saved)
        #expect(run("-Sn").standardOutput == saved)
        let service = try #require(table.services().first)
        #expect(service.service.clientAddress == .tcpOption)
        #expect(service.localAddresses.map { "\($0.address)" } == ["10.0.2.101", "10.0.2.102"])
        #expect(service.destinations.first?.destination.method == .fullNAT)
        #expect(service.destinations.first?.destination.key.port == 8080, "the port is translated, as with NAT")
    }

    @Test func isListedAsDPVSDoes() {
        restore()
        let listing = run("-Ln").standardOutput
        #expect(listing.contains("TCP  203.0.113.80:80 rr toa\n"))
        #expect(listing.contains("TCP  [2001:db8::80]:80 wlc proxy-protocol v2\n"))
        #expect(listing.contains("  -> 10.0.2.11:8080               FullNat 1      0          0         \n"))
        #expect(
            run("-G -t 203.0.113.80:80").standardOutput == """
                VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS     
                203.0.113.80:80      2        
                                              10.0.2.101           0          0         
                                              10.0.2.102           0          0         

                """)
        #expect(run("--get-laddr").standardOutput.split(separator: "\n").count == 7)
        #expect(run("-A -f 5 -s rr").status == 0)
        let mark = "FWM  5" + String(repeating: " ", count: 15) + "0" + String(repeating: " ", count: 8) + "\n"
        #expect(run("-G -f 5").standardOutput.hasSuffix(mark))
        let unknown = run("-G -t 203.0.113.80:81")
        #expect(unknown.status == 1 && unknown.standardError == "No such service\n")
    }

    /// DPVS's `-b` takes no value; ipvsadm's, which has one, is refused as ever.
    @Test(arguments: ["-a -b -t 203.0.113.80:80 -r 10.0.2.12:80", "-a -t 203.0.113.80:80 -r 10.0.2.12:80 -b"])
    func takesTheLetterOfDPVS(line: String) {
        restore()
        #expect(run(line) == CommandResult())
        #expect(run("-e -t 203.0.113.80:80 -r 10.0.2.12:80 -w 5 -b") == CommandResult())
        #expect(run("-Sn").standardOutput.contains("-r 10.0.2.12:80 --fullnat -w 5\n"))
        let value = run("-a -t 203.0.113.80:80 -r 10.0.2.13:80 -b flag-1")
        #expect(value.standardError == "Illegal 'sched-flags' option with the 'add-server' command\n")
        #expect(run("-E -t 203.0.113.80:80 -s sh -b sh-port") == CommandResult())
    }

    @Test func takesTheLongNamesAndTheInterface() {
        restore()
        #expect(run("--add-laddr -t 203.0.113.80:80 --laddr 10.0.2.103 --ifname eth1") == CommandResult())
        #expect(run("-Q -z 10.0.2.102 -F eth1 -t 203.0.113.80:80") == CommandResult())
        #expect(run("-G -t 203.0.113.80:80").standardOutput.contains("10.0.2.103"))
        #expect(!run("-G -t 203.0.113.80:80").standardOutput.contains("10.0.2.102"))
        #expect(run("-E -t [2001:db8::80]:80 --proxy-protocol disable") == CommandResult())
        #expect(run("-Sn").standardOutput.contains("-A -t [2001:db8::80]:80 -s wlc\n"))
    }

    /// Letters that ipvsadm 1.31 does not know, without what DPVS wants with them: its words and status.
    @Test(
        arguments: [
            "-P", "-Q", "-G", "-P -t 203.0.113.80:80", "-Q -z 10.0.2.101", "-G -n", "-Qn", "-z", "-z 10.0.2.101", "-F",
            "-P -w 5 -z 1.2.3.4", "--laddr", "--fullnat", "--toa",
        ])
    func unknownLettersStayUnknown(line: String) {
        let result = run(line)
        #expect(result.status == 255)
        #expect(result.standardError == "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n")
    }

    @Test(
        arguments: [
            ("-L -P", "-P"), ("-A -w 5 -z", "-z"), ("-Lnz", "-Lnz"), ("-A -t 203.0.113.80:82 --fullnat", "--fullnat"),
            ("-a -t 203.0.113.80:80 --toa", "--toa"), ("-D -t 203.0.113.80:80 --add-laddr", "--add-laddr"),
        ])
    func optionsOfOtherCommandsAreUnknown(line: String, option: String) {
        let result = run(line)
        #expect(result == CommandResult(status: 255, standardError: "\(option): unknown option\n"), "\(result)")
    }

    @Test(
        arguments: [
            ("-a -t 192.0.2.1:80 -r 10.0.2.12:80 --fullnat", 255, "FULLNAT needs a local address"),
            ("-a -t 203.0.113.80:80 -r 10.0.2.12:80 --fullnat -m", 2, "multiple 'forwarding-method' options"),
            ("-a -t 203.0.113.80:80 -r 10.0.2.12:80 --fullnat --tun-type gue", 2, "Tunnel options conflict"),
            ("-a -t 203.0.113.80:80 -r [2001:db8:2::11]:80 --fullnat", 2, "FULLNAT under an IPv4 service"),
            ("-a -t [2001:db8::80]:80 -r 10.0.2.12:80 -m", 2, "Different address family"),
            ("-Q -t 203.0.113.80:80 -z 10.0.2.103", 255, "No such local address"),
            ("-P -t 203.0.113.80:80 -z 10.0.2.101", 255, "Local address already exists"),
            ("-P -t 203.0.113.80:81 -z 10.0.2.101", 255, "No such service"),
            ("-P -t 203.0.113.80:80 -z 10.0.2.101:80", 2, "illegal local address"),
            ("-P -t 203.0.113.80:80 -z nosuch", 2, "illegal local address"),
            ("-P -t 203.0.113.80:80 -z 0.0.0.0", 255, "unspecified"),
            ("-P -t 203.0.113.80:80 -z 224.0.0.5", 255, "multicast"),
            ("-P -t 203.0.113.80:80 -z 255.255.255.255", 255, "broadcast"),
            ("-P -t 203.0.113.80:80 -z 127.0.0.1", 255, "loopback"),
            ("-P -t [2001:db8::80]:80 -z ::1", 255, "loopback"),
            ("-P -t [2001:db8::80]:80 -z fe80::1", 255, "link-local"),
            ("-P -t 203.0.113.80:80 -z 2001:db8::101", 255, "IPv4 service"),
            ("-P -t 203.0.113.80:80 -z 203.0.113.80", 255, "virtual address"),
            ("-A -t 10.0.2.101:80", 255, "local address of a service"),
            ("-A -u 203.0.113.80:53 --toa", 2, "only for TCP"),
            ("-A --sctp-service 203.0.113.80:53 --proxy-protocol v2", 2, "only for TCP and UDP"),
            ("-A -t 203.0.113.80:82 --toa --proxy-protocol v2", 2, "multiple 'client-address' options"),
            ("-A -t 203.0.113.80:82 --proxy-protocol v1", 2, "v2 and disable are known"),
            ("--add-laddr -t 203.0.113.80:80", 2, "You need to supply the 'local-address' option"),
            ("--add-laddr -t 203.0.113.80:80 -z 10.0.2.104 -w 5", 2, "Illegal 'weight' option"),
        ] as [(String, UInt8, String)])
    func refusesWithTheReason(line: String, status: UInt8, reason: String) {
        restore()
        #expect(run("-A -t 192.0.2.1:80 -s rr").status == 0)
        let before = run("-Sn")
        let result = run(line)
        #expect(result.status == status && result.standardError.contains(reason), "\(result)")
        #expect(result.standardOutput.isEmpty)
        #expect(run("-Sn") == before)
    }

    @Test func theLastLocalAddressStaysWhileItIsNeeded() {
        restore()
        #expect(run("-Q -t 203.0.113.80:80 -z 10.0.2.101").status == 0)
        let refused = run("-Q -t 203.0.113.80:80 -z 10.0.2.102")
        #expect(refused.status == 255 && refused.standardError.hasPrefix("FULLNAT servers need it"), "\(refused)")
        #expect(run("-d -t 203.0.113.80:80 -r 10.0.2.11:8080").status == 0)
        #expect(run("-Q -t 203.0.113.80:80 -z 10.0.2.102").status == 0)
    }

    @Test func helpNamesTheOptions() {
        let help = run("-h").standardOutput
        for word in ["--fullnat", "--add-laddr", "--del-laddr", "--get-laddr", "--laddr", "--toa", "--proxy-protocol"] {
            #expect(help.contains(word), "\(word)")
        }
    }
}
