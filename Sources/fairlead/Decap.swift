import ArgumentParser
import Decapsulation
import Foundation
import Logging
import ServiceLifecycle
import UnixSignals
import Wire

extension Fairlead {
    /// `fairlead decap`: the tunnels' end on a real server.
    struct Decap: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "On a real server: take packets out of their tunnels (-i), where the kernel cannot.",
            discussion: """
                Makes a TUN device and gives the host, by it, what IPIP, GRE and GUE packets to this host carry. The virtual \
                address belongs on `lo`, and the device's reverse path filter must be off:
                  sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
                SIGUSR1 prints the counters, SIGTERM ends it and removes the device.
                """)

        @Option(help: "Name of the TUN device to make.")
        var tun = "decap0"
        @Option(help: "UDP port on which GUE is taken (ipvsadm's --tun-port); without, none is.")
        var guePort: UInt16?
        @Option(
            help:
                "An address of a director, whose packets alone are taken; give one for each. Without, everybody's are.")
        var from: [String] = []

        func run() async throws {
            do {
                let directors = try from.map { text in
                    guard let address = IPAddress(text) else { throw Failure("--from \(text): not an IP address") }
                    return address
                }
                guard guePort != 0 else { throw Failure("--gue-port takes 1 to 65535") }
                let decapsulator = try Decapsulator(
                    .init(device: tun, guePort: guePort, directors: Set(directors)))
                let service = DecapService(decapsulator: decapsulator, device: tun)
                var logger = Logger(label: "fairlead decap")
                logger.logLevel = .error
                let group = ServiceGroup(
                    configuration: ServiceGroupConfiguration(
                        services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)],
                        gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
                try await group.run()
            } catch {
                FileHandle.standardError.write(Data("fairlead decap: \(error)\n".utf8))
                throw ExitCode.failure
            }
        }
    }
}

/// The decapsulator from ready to stopped.
private struct DecapService: Service {
    let decapsulator: Decapsulator
    let device: String

    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sigusr1)
        try decapsulator.start()
        Host.announceReady("fairlead decap: ready, device \(device)")
        await cancelWhenGracefulShutdown {
            for await _ in signals { report() }
        }
        decapsulator.stop()
        report()
    }

    private func report() {
        FileHandle.standardOutput.write(Data("fairlead decap: \(decapsulator.statistics.line)\n".utf8))
    }
}
