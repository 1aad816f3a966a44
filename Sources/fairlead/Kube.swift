import ArgumentParser
import Control
import Foundation
import Kubernetes
import Wire

extension Fairlead {
    /// `fairlead kube`: the rules that kube-proxy in mode ipvs would make.
    struct Kube: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have the daemon do what kube-proxy in mode ipvs would.",
            discussion: """
                fairlead kube --proxy-config FILE --manifests FILE|DIR|- [--node NAME] [--watch]
                kubectl get services,endpointslices -A -o yaml | fairlead kube --proxy-config FILE --manifests -
                """)

        @Option(help: "A KubeProxyConfiguration, or kube-proxy's ConfigMap.")
        var proxyConfig: String?
        @Option(help: "Services with EndpointSlices or Endpoints as kubectl prints them; - is standard input.")
        var manifests: String?
        @Option(help: "This node's name (else hostnameOverride of the configuration), for traffic policies Local.")
        var node: String?
        @Option(help: "An address of this node, for node ports; the primary one first (else all of its interfaces').")
        var nodeAddress: [String] = []
        @Option(
            help: """
                An address that masqueraded connections leave under: this node's, or one in its network that nobody has \
                (else this node's on the way to the real server).
                """)
        var masqueradeAddress: [String] = []
        @Flag(help: "Go on, and follow the files as they change.")
        var watch = false
        @Flag(help: "Show what would change in the daemon's rules, as commands of ipvsadm; change nothing.")
        var dryRun = false
        @Flag(name: .customLong("print"), help: "Write the rules as `ipvsadm -S -n` would; needs no daemon.")
        var prints = false
        @Flag(help: "With --print: as JSON, with each service's name and masquerade rule.")
        var json = false
        @Flag(help: "Take over services that were made by hand and have the key of a Kubernetes one.")
        var adopt = false
        @Flag(help: "Remove every rule that fairlead kube made.")
        var cleanup = false
        @OptionGroup var control: ControlOption

        func validate() throws {
            guard !cleanup else {
                guard proxyConfig == nil, manifests == nil, !watch, !prints else {
                    throw ValidationError("--cleanup goes with --control and --dry-run only")
                }
                return
            }
            guard proxyConfig != nil, let manifests else {
                throw ValidationError("give --proxy-config FILE and --manifests FILE, DIR or -")
            }
            if watch, manifests == "-" { throw ValidationError("--watch follows files, not standard input") }
            if [watch, dryRun, prints].count(where: { $0 }) > 1 {
                throw ValidationError("give one of --watch, --dry-run and --print")
            }
            if json, !prints { throw ValidationError("--json goes with --print") }
            for address in nodeAddress where IPAddress(address) == nil {
                throw ValidationError("--node-address \(address): not an address")
            }
            for address in masqueradeAddress where IPAddress(address) == nil {
                throw ValidationError("--masquerade-address \(address): not an address")
            }
            guard Set(masqueradeAddress.map { IPAddress($0)?.family }).count == masqueradeAddress.count else {
                throw ValidationError("give one --masquerade-address of each family at most")
            }
        }

        func run() async throws {
            do {
                var remarks: [String] = []
                if cleanup {
                    var request = SyncRequest.cleanup
                    request.isDryRun = dryRun
                    try send(request, "no services", &remarks)
                } else if watch {
                    try follow()
                } else {
                    _ = try sync(&remarks)
                }
            } catch {
                Self.complain("\(error)")
                throw ExitCode.failure
            }
        }

        /// Read everything and bring the daemon's rules up to date; or only show them.
        ///
        /// - Parameter remarks: What was said before, which is not said again; what was said now.
        private func sync(_ remarks: inout [String]) throws -> ProxyConfiguration {
            let path = proxyConfig ?? ""
            let configuration = try ProxyConfiguration(reading: try ManifestSource.contents(of: path), name: path)
            let objects = try ManifestSource(manifests ?? "").read { FileHandle.standardInput.readDataToEndOfFile() }
            let given = nodeAddress.compactMap { IPAddress($0) }
            let masquerading = masqueradeAddress.compactMap { IPAddress($0) }
            let own = NodeDescription.hostAddresses(without: LocalClientPart.device)
            let description = NodeDescription(
                name: node, addresses: given.isEmpty ? own : given,
                masqueradeAddresses: masquerading.isEmpty ? own : masquerading)
            let rules = Proxier(configuration, node: description).rules(for: objects)
            var request = SyncRequest(rules, configuration)
            request.adopts = adopt
            request.isDryRun = dryRun
            if prints {
                for remark in rules.remarks { Self.complain(remark) }
                Self.show(json ? try request.readableServices() : rules.restorableLines.joined(separator: "\n"))
            } else {
                let count = rules.services.reduce(0) { $0 + $1.destinations.count }
                try send(
                    request, "\(rules.services.count) services, \(count) destinations", &remarks,
                    beside: rules.remarks)
            }
            return configuration
        }

        private func send(
            _ request: SyncRequest, _ title: String, _ remarks: inout [String], beside others: [String] = []
        ) throws {
            let answer = try control.client.send(try JSONEncoder().encode(request), to: SyncRequest.route)
            guard let reply = try? JSONDecoder().decode(SyncReply.self, from: answer) else {
                throw Failure("the daemon's answer cannot be read")
            }
            if let error = reply.error { throw Failure(error) }
            let new = others + reply.remarks
            for remark in new where !remarks.contains(remark) { Self.complain(remark) }
            remarks = new
            if request.isDryRun {
                for line in reply.lines { Self.show(line) }
            } else if !watch || reply.changes > 0 {
                let draining = reply.draining > 0 ? ", \(reply.draining) draining" : ""
                Self.show("\(title): \(reply.changes) changes\(draining)")
            }
        }

        /// Sync now, whenever a file changes, and once a sync period. What goes wrong is said, and the rules stay as they
        /// are until it is right again.
        private func follow() throws {
            let files = try FileWatch([proxyConfig, manifests].compactMap(\.self))
            var schedule = SyncSchedule(minimum: .zero, period: ProxyConfiguration().syncPeriod)
            var remarks: [String] = []
            let clock = ContinuousClock()
            let start = clock.now
            while true {
                let delay = schedule.delay(at: clock.now - start)
                if delay > .zero {
                    if files.wait(delay) { schedule.noteChange() }
                    continue
                }
                schedule.noteSync(at: clock.now - start)
                do {
                    let configuration = try sync(&remarks)
                    (schedule.minimum, schedule.period) = (configuration.minimumSyncPeriod, configuration.syncPeriod)
                } catch {
                    schedule.noteFailure()
                    if remarks != ["\(error)"] { Self.complain("\(error)") }
                    remarks = ["\(error)"]
                }
            }
        }

        private static func show(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }

        private static func complain(_ sentence: String) {
            FileHandle.standardError.write(Data("fairlead kube: \(sentence)\n".utf8))
        }
    }
}
