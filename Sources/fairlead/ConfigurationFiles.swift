import ArgumentParser
import Balancer
import Configuration
import Foundation
import Netlink

/// Files that a command line names.
enum ConfigurationFiles {
    /// The text of a file; `-` is standard input.
    static func text(_ path: String) throws -> String {
        if path == "-" { return String(decoding: FileHandle.standardInput.readDataToEndOfFile(), as: UTF8.self) }
        guard let data = FileManager.default.contents(atPath: path) else { throw Failure("cannot read \(path)") }
        return String(decoding: data, as: UTF8.self)
    }

    /// What this host knows of an interface; nil when there is none of that name.
    static func hostInterface(_ name: String) -> LintNetwork.Interface? {
        guard let monitor = try? RoutingMonitor(interfaces: [name]),
            let interface = monitor.snapshot.interfaces.first
        else { return nil }
        return LintNetwork.Interface(name: name, mtu: interface.mtu, networks: interface.addresses)
    }
}

extension Fairlead.Run {
    /// The options with what the file of `--config` adds: an option given wins over the file.
    func withConfiguration() throws -> (options: Fairlead.Run, file: ConfigurationFile?) {
        guard let config else { return (self, nil) }
        let text = try ConfigurationFiles.text(config)
        let file: ConfigurationFile
        do throws(ConfigurationError) {
            file = try ConfigurationFile(yaml: text)
        } catch {
            throw Failure(error.problems.map { "\(config): \($0)" }.joined(separator: "\n"))
        }
        var options = self
        if interface.isEmpty { options.interface = file.interfaces.map(\.name) }
        guard !options.interface.isEmpty else {
            throw Failure("\(config) names no interfaces; add `interfaces: [NAME, …]`, or give --interface")
        }
        if connections == Self.defaultConnections, let connections = file.connections {
            options.connections = connections
        }
        if workers == nil { options.workers = file.workers }
        guard !options.localClients || options.workerCount == 1 else {
            throw Failure("\(config): workers: \(options.workerCount) does not go with --local-clients, which has one")
        }
        // What the command line says of an interface, or of all, comes later and so wins.
        options.io = file.interfaces.compactMap { part in part.io.map { "\(part.name)=\($0)" } } + io
        if io.contains(where: { !$0.contains("=") }) { options.io = io }
        return (options, file)
    }
}

/// A length of time on the command line: `30s`, `2m`, `1h`, `500ms`, or seconds.
struct TimeArgument: ExpressibleByArgument {
    let seconds: Double

    init?(argument: String) {
        let units: [(suffix: String, seconds: Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)]
        let unit = units.first { argument.hasSuffix($0.suffix) }
        guard let number = Double(argument.dropLast(unit?.suffix.count ?? 0)), number >= 0, number <= 86400 else {
            return nil
        }
        seconds = number * (unit?.seconds ?? 1)
    }
}
