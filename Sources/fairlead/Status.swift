import ArgumentParser
import Balancer
import Configuration
import Control
import Dataplane
import Foundation
import PacketIO

/// What `fairlead status` shows: how frames ended, and what ports and table hold.
struct StatusReport: Codable {
    static let route = "/status"

    struct PortReport: Codable {
        var name: String
        var received, transmitted, receiveDrops, transmitDrops: UInt64
    }

    /// A local address of FULLNAT: its service, ports in use and free, connections that found none free.
    struct PoolReport: Codable {
        var service, address: String
        var used, free: UInt32
        var exhausted: UInt64
    }

    var received, waiting, made, evicted: UInt64
    var ends: [String: UInt64]
    var drops: [String: UInt64]
    var connections, capacity: Int
    var ports: [PortReport]
    var pools: [PoolReport]

    /// Under the lock that rules are changed under.
    init(_ engine: Engine, _ worker: Worker, _ ports: [PacketSocket]) {
        let counters = worker.counters
        received = counters.received
        waiting = counters.waiting
        made = counters.made
        evicted = counters.evicted
        ends = Dictionary(uniqueKeysWithValues: FrameEnd.allCases.map { ("\($0)", counters.total($0)) })
        drops = Dictionary(uniqueKeysWithValues: DropReason.allCases.map { ($0.name, counters.total($0)) })
        connections = engine.table.count
        capacity = Int(engine.table.capacity)
        self.ports = ports.map { port in
            let statistics = port.statistics
            return PortReport(
                name: port.name, received: statistics.received, transmitted: statistics.transmitted,
                receiveDrops: statistics.receiveDrops, transmitDrops: statistics.transmitDrops)
        }
        pools = engine.services().flatMap { status in
            status.localAddresses.map { local in
                PoolReport(
                    service: status.service.key.title, address: "\(local.address)", used: local.connections,
                    free: local.free, exhausted: local.exhausted)
            }
        }
    }

    var encoded: Data { (try? JSONEncoder().encode(self)) ?? Data() }
}

extension Fairlead {
    /// `fairlead status`: counters of the daemon.
    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show how frames ended, by reason, and what the ports lost.")

        @Flag(help: "One JSON object instead of lines.")
        var json = false
        @OptionGroup var control: ControlOption

        func run() async throws {
            do {
                let reply = try control.client.send(Data("{}".utf8), to: StatusReport.route)
                let report = try JSONDecoder().decode(StatusReport.self, from: reply)
                if json {
                    print(String(decoding: reply, as: UTF8.self))
                } else {
                    show(report)
                }
            } catch {
                FileHandle.standardError.write(Data("fairlead status: \(error)\n".utf8))
                throw ExitCode.failure
            }
        }

        private func show(_ report: StatusReport) {
            print("connections \(report.connections) of \(report.capacity), \(report.evicted) given up to make room")
            let ends = FrameEnd.allCases.map { "\($0) \(report.ends["\($0)"] ?? 0)" }.joined(separator: ", ")
            print("frames received \(report.received): \(ends), waiting \(report.waiting)")
            print("frames made here \(report.made)")
            for (reason, count) in report.drops.sorted(by: { $0.key < $1.key }) where count > 0 {
                print("  dropped \(reason) \(count)")
            }
            for port in report.ports {
                print(
                    "port \(port.name): received \(port.received), transmitted \(port.transmitted), "
                        + "lost before us \(port.receiveDrops), not sent \(port.transmitDrops)")
            }
            for pool in report.pools {
                print(
                    "local address \(pool.address) of \(pool.service): ports in use \(pool.used), free \(pool.free), "
                        + "none left for \(pool.exhausted)")
            }
        }
    }
}
