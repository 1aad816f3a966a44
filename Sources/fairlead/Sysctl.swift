import ArgumentParser
import Balancer
import Control
import Foundation

/// What `fairlead sysctl` asks the daemon.
struct SysctlRequest: Codable {
    static let route = "/sysctl"
    /// `NAME`, `NAME=VALUE`, or nothing for all.
    var words: [String]

    struct Reply: Codable {
        var lines: [String]
        var error: String?
    }

    static func answer(_ body: Data, _ engine: Engine) -> Data {
        var reply = Reply(lines: [], error: nil)
        do {
            let request = try JSONDecoder().decode(SysctlRequest.self, from: body)
            let words = request.words.isEmpty ? Setting.allCases.map(\.name) : request.words
            for word in words { reply.lines.append(try Settings.apply(word, to: engine)) }
        } catch {
            reply.error = "\(error)"
        }
        return (try? JSONEncoder().encode(reply)) ?? Data()
    }
}

extension Settings {
    /// Carry out `NAME` or `NAME=VALUE`.
    /// - Returns: the setting as `sysctl` prints it.
    static func apply(_ word: String, to engine: Engine) throws -> String {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts[0].trimmingCharacters(in: .whitespaces)
        guard let setting = Setting(name: name) else {
            throw Failure("no setting \(name); `fairlead sysctl` lists those there are")
        }
        if parts.count > 1 {
            let range = setting.range
            guard let value = Int32(parts[1].trimmingCharacters(in: .whitespaces)), range.contains(value) else {
                let numbers = range.upperBound == .max ? "from 0 on" : "from \(range.lowerBound) to \(range.upperBound)"
                throw Failure("\(setting.name) takes a number \(numbers), not \"\(parts[1])\"")
            }
            engine.set(setting, to: value)
        }
        var remark = setting.isBeyondKernel ? "  (the kernel has no such setting)" : ""
        if let reason = setting.reasonItIsInert { remark = "  (without effect here: \(reason))" }
        return "net.ipv4.vs.\(setting.name) = \(engine.settings[setting])\(remark)"
    }
}

extension Fairlead {
    /// `fairlead sysctl`: what the kernel keeps under `net.ipv4.vs`.
    struct Sysctl: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show or change what the kernel keeps under net.ipv4.vs.")

        @Argument(help: "NAME or NAME=VALUE; without any, all are shown.")
        var settings: [String] = []
        @OptionGroup var control: ControlOption

        func run() async throws {
            do {
                let request = try JSONEncoder().encode(SysctlRequest(words: settings))
                let reply = try JSONDecoder().decode(
                    SysctlRequest.Reply.self, from: try control.client.send(request, to: SysctlRequest.route))
                for line in reply.lines { print(line) }
                if let error = reply.error { throw Failure(error) }
            } catch {
                FileHandle.standardError.write(Data("fairlead sysctl: \(error)\n".utf8))
                throw ExitCode.failure
            }
        }
    }
}
