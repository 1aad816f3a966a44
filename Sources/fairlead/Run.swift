import ArgumentParser
import Foundation
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
                that the routes of these addresses lead to while Fairlead runs.
                """)
        var localClients = false
        @Option(help: "The processor the worker is pinned to.")
        var processor: Int?

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
