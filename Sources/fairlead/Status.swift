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
        var kind, details: String
        var received: UInt64 = 0
        var transmitted: UInt64 = 0
        var receiveDrops: UInt64 = 0
        var transmitDrops: UInt64 = 0

        /// - Parameter ports: Those of one interface, one of each worker.
        init(_ ports: [any InterfacePort]) { self.init(ports, kind: ports[0].kind, details: ports[0].details) }

        init(_ ports: [any PacketIO.Port], kind: PortKind, details: String) {
            name = ports[0].name
            self.kind = kind.name
            self.details = details
            for statistics in ports.map(\.statistics) {
                received += statistics.received
                transmitted += statistics.transmitted
                receiveDrops += statistics.receiveDrops
                transmitDrops += statistics.transmitDrops
            }
        }
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
    var connections, capacity, workers: Int
    var ports: [PortReport]
    var pools: [PoolReport]

    /// Under the lock that rules are changed under.
    ///
    /// - Parameters:
    ///   - ports: Those of each worker.
    ///   - localPort: By which the host's own connections come.
    init(_ engine: Engine, _ workers: [Worker], _ ports: [[any InterfacePort]], _ localPort: TunPort?) {
        let counters = workers.map(\.counters)
        func total(_ value: (EndCounters) -> UInt64) -> UInt64 { counters.reduce(0) { $0 + value($1) } }
        received = total(\.received)
        waiting = total(\.waiting)
        made = total(\.made)
        evicted = total(\.evicted)
        ends = Dictionary(
            uniqueKeysWithValues: FrameEnd.allCases.map { end in ("\(end)", total { $0.total(end) }) })
        drops = Dictionary(
            uniqueKeysWithValues: DropReason.allCases.map { reason in (reason.name, total { $0.total(reason) }) })
        connections = engine.table.count
        capacity = Int(engine.table.capacity)
        self.workers = workers.count
        self.ports =
            (ports.first ?? []).indices.map { slot in PortReport(ports.map { $0[slot] }) }
            + [localPort].compactMap(\.self).map { PortReport([$0], kind: .tun, details: "the host's own connections") }
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
                    "port \(port.name) (\(port.kind)): received \(port.received), transmitted \(port.transmitted), "
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
