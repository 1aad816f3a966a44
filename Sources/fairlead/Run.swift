import ArgumentParser
import Foundation
import PacketIO
import ServiceLifecycle
import UnixSignals

extension Fairlead {
    /// `fairlead run`: the daemon.
    struct Run: AsyncParsableCommand {
        static let defaultConnections = 1 << 18
        static let configuration = CommandConfiguration(abstract: "Balance traffic on the given interfaces.")

        @Option(name: .long, help: "An interface to take packets from and send them to; give one for each.")
        var interface: [String] = []
        @Option(help: "A fairlead.yaml with interfaces, settings and rules to start with.")
        var config: String?
        @Option(
            help: "A folder that keeps the rules over a restart, and the last 16 states; auto: the usual place.")
        var state: String?
        @Option(help: "Rules to start with: lines as `ipvsadm -S` writes them; # begins a comment.")
        var rules: String?
        @Option(help: "Path of the control socket (mode 0600).")
        var control: String?
        @Option(help: "Most connection entries.")
        var connections = Run.defaultConnections
        @Option(help: "A setting of net.ipv4.vs, e.g. conn_reuse_mode=0; may be given several times.")
        var sysctl: [String] = []
        @Flag(
            help: """
                Serve a virtual address only while an interface of this host has it, as the kernel does: for directors that \
                hand addresses to each other (VRRP).
                """)
        var onlyHostAddresses = false
        @Flag(
            help: """
                Balance connections that this host itself opens to virtual addresses, too: they come by a TUN device, \(LocalClientPart.device), \
                that the routes of these addresses lead to while Fairlead runs. The same device reaches real servers of NAT \
                and FULLNAT that are this host.
                """)
        var localClients = false
        @Option(
            help: """
                How frames are taken: auto, packet (AF_PACKET), packet-mmap (the same, with a receive ring), packet-mmsg \
                (without one), xdp (AF_XDP), xdp-generic (the same, never by the driver) or pcap (libpcap); with IF=HOW for one interface. May be given several times. auto says what it chose, and \
                why.
                """)
        var io: [String] = []
        @Flag(
            help: """
                Packet sockets send past the interfaces' queueing disciplines (PACKET_QDISC_BYPASS): less work a frame, but no \
                shaping, and a full device drops, which is counted.
                """)
        var bypassQdisc = false
        @Option(help: "Worker threads, which share the interfaces' frames (1 to 64).")
        var workers: Int?
        @Option(help: "The processor the first worker is pinned to, the next one to the next.")
        var processor: Int?
        @Flag(
            help: """
                Workers go before every ordinary thread (SCHED_FIFO, priority 1): packets do not wait while rules change or \
                other programs compute. Needs CAP_SYS_NICE.
                """)
        var realtime = false
        @Option(help: "Seed of what schedulers draw (twos, p2c), to have a run's choices again; drawn unless given.")
        var seed: UInt64?

        /// Worker threads.
        var workerCount: Int { workers ?? 1 }

        /// How this interface's frames are taken: as said for it, else as said for all.
        func portChoice(_ interface: String) -> PortChoice {
            let own = io.last { $0.hasPrefix("\(interface)=") }?.dropFirst(interface.count + 1)
            let name = own.map(String.init) ?? io.last { !$0.contains("=") } ?? PortChoice.auto.rawValue
            return PortChoice(rawValue: name) ?? .auto
        }

        private func validatePorts() throws {
            for word in io {
                let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                guard PortChoice(rawValue: parts[parts.count - 1]) != nil else {
                    let names = PortChoice.allCases.map(\.rawValue).joined(separator: ", ")
                    throw ValidationError("--io takes \(names), or IF= and one of these, not '\(word)'")
                }
                guard parts.count == 1 || interface.contains(parts[0]) || config != nil else {
                    throw ValidationError("--io \(word): there is no --interface \(parts[0])")
                }
            }
            guard (1...64).contains(workerCount) else { throw ValidationError("--workers takes 1 to 64") }
            guard !localClients || workerCount == 1 else {
                throw ValidationError(
                    "--local-clients goes with one worker, not \(workerCount): its device has one queue")
            }
        }

        func validate() throws {
            guard config == nil || rules == nil else {
                throw ValidationError("give --config or --rules, not both")
            }
            guard !interface.isEmpty || config != nil else {
                throw ValidationError("give at least one --interface; `ip link` lists them")
            }
            guard Set(interface).count == interface.count else {
                throw ValidationError("an --interface is given twice")
            }
            guard (64...(1 << 27)).contains(connections) else {
                throw ValidationError("--connections takes 64 to 134217728")
            }
            try validatePorts()
        }

        func run() async throws {
            do {
                let (options, file) = try withConfiguration()
                let daemon = try Daemon(options, file)
                let group = ServiceGroup(
                    configuration: ServiceGroupConfiguration(
                        services: [
                            .init(service: daemon, successTerminationBehavior: .gracefullyShutdownGroup)
                        ], gracefulShutdownSignals: [.sigterm, .sigint], logger: daemon.logger))
                try await group.run()
            } catch {
                FileHandle.standardError.write(Data("fairlead: \(error)\n".utf8))
                throw ExitCode.failure
            }
        }
    }
}
