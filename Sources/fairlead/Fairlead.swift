import ArgumentParser
import Control
import Dataplane
import Foundation

/// The one executable. Called as `ipvsadm` it is ipvsadm.
@main
enum Program {
    @MainActor
    static func main() async {
        // Here, since everything that is awaited runs on threads of a pool, whose stacks would have them already.
        HugePages.onlyWhereAsked()
        let arguments = CommandLine.arguments
        let name = arguments.first.map { URL(fileURLWithPath: $0).lastPathComponent } ?? "fairlead"
        if name == "ipvsadm" { runIpvsadm(Array(arguments.dropFirst())) }
        if arguments.count > 1, arguments[1] == "ipvsadm" { runIpvsadm(Array(arguments.dropFirst(2))) }
        await Fairlead.main()
    }

    /// Carry an ipvsadm command line to the daemon; it has its own grammar, messages and exit codes.
    private static func runIpvsadm(_ arguments: [String]) -> Never {
        var arguments = arguments
        var control: String?
        if arguments.first == "--control", arguments.count > 1 {
            control = arguments[1]
            arguments.removeFirst(2)
        }
        let client = CommandClient(place: ControlSocketPath(option: control))
        let result = client.run(arguments) { FileHandle.standardInput.readDataToEndOfFile() }
        FileHandle.standardOutput.write(Data(result.standardOutput.utf8))
        FileHandle.standardError.write(Data(result.standardError.utf8))
        exit(Int32(result.status))
    }
}

/// `fairlead` and its subcommands.
struct Fairlead: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fairlead",
        abstract: "A layer-4 load balancer that does in user space what Linux IPVS does in the kernel.",
        discussion: """
            `fairlead ipvsadm …`, or the same program called as `ipvsadm`, takes ipvsadm's command line.
            """,
        version: "fairlead 0.1.0",
        subcommands: [
            Run.self,
            Ipvsadm.self,
            Mark.self,
            Lint.self,
            Plan.self,
            Apply.self,
            History.self,
            Rollback.self,
            Export.self,
            Kube.self,
            Replay.self,
            Drain.self,
            Explain.self,
            Status.self,
            Sysctl.self,
            Decap.self,
        ])

    /// Listed for help only: `Program` handles it before anything is parsed.
    struct Ipvsadm: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change and list the rules, as ipvsadm does.")
        @Argument(parsing: .captureForPassthrough, help: "ipvsadm's arguments; --control PATH may come first.")
        var arguments: [String] = []
    }
}

/// Where clients find the daemon.
struct ControlOption: ParsableArguments {
    @Option(help: "The daemon's control socket (else FAIRLEAD_CONTROL, else the one of this network namespace).")
    var control: String?

    var client: ControlClient { ControlClient(path: ControlSocketPath(option: control).forClient()) }
}

/// An error that is one line for the user.
struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
