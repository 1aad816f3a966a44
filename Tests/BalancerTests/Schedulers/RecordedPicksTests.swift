import TestSupport
import Testing
import Wire

@testable import Balancer

/// Every choice that the kernel made in the recordings of schedulers, made again.
///
/// The rules follow the recording's commands, the counts what the kernel listed after each step; a new connection is a
/// first packet of its client, port and address, every packet where the service is one-packet.
@Suite struct RecordedPicksTests {
    @Test(
        .enabled(if: recordings.count > 20, "Tests/Vectors holds no recordings of schedulers"),
        arguments: recordings)
    func theKernelsPicks(name: String) throws {
        let recording = try Recording(named: name)
        var replay = RecordedService()
        let input = try recording.input("eth0").frames
        let output = try recording.output("eth1").frames
        var picks = 0
        for step in recording.steps {
            switch step.action {
            case .command(let command, _, status: 0, _, _): replay.run(command)
            case .inject(interface: "eth0", let frame):
                let packet = try #require(PacketSummary(frame: input[frame]))
                guard let pick = replay.connect(packet) else { break }
                let sent = step.outputs.first { $0.interface == "eth1" }
                let expected = sent.map { Int(output[$0.frame][5]) }
                #expect(pick.server == expected, "step \(step.number)")
                picks += 1
            default: break
            }
            replay.count(step.destinations ?? [])
        }
        #expect(picks >= 8)
    }

    /// The recordings of schedulers, thresholds excepted.
    static var recordings: [String] { Recording.names.filter { $0.hasPrefix("sched-") } }
}

/// The one service of a recording.
private struct RecordedService {
    private var bed: SchedulerBed?
    private var isOnePacket = false
    private var seen: Set<String> = []
    private var numbers: [IPAddress: Int] = [:]

    /// Do what an ipvsadm command says.
    mutating func run(_ command: String) {
        let words = command.split(separator: " ").map(String.init)
        guard words.count > 2, words[0] == "ipvsadm" else { return }
        func value(_ option: String) -> String? {
            words.firstIndex(of: option).flatMap { $0 + 1 < words.count ? words[$0 + 1] : nil }
        }
        if words[1] == "-A" {
            guard let kind = value("-s").flatMap({ SchedulerKind(name: $0) }) else { return }
            let flags = value("-b") ?? ""
            var schedulerFlags: SchedulerFlags = []
            if flags.contains("-fallback") { schedulerFlags.insert(.fallback) }
            if flags.contains("-port") { schedulerFlags.insert(.port) }
            bed = SchedulerBed(kind, flags: schedulerFlags)
            isOnePacket = words.contains("-o")
        }
        guard let bed, let server = value("-r").flatMap({ Endpoint(parsing: $0) }) else { return }
        let weight = value("-w").flatMap { Int32($0) } ?? 1
        let place = bed.records.firstIndex { $0.address == server.address }
        switch (words[1], place) {
        case ("-a", nil):
            // The servers' MAC addresses end in the last part of their address, read as a decimal number.
            let text = String(describing: server.address).split { $0 == "." || $0 == ":" }
            numbers[server.address] = text.last.flatMap { Int($0) }
            bed.add(server.address, port: server.port, weight: weight)
        case ("-e", let place?): bed.edit(place, weight: weight)
        case ("-d", let place?): bed.remove(place)
        default: break
        }
    }

    /// The pick for a packet that opens a connection; nil for other packets.
    mutating func connect(_ packet: PacketSummary) -> (server: Int?, Void)? {
        guard let bed else { return nil }
        let isNew = seen.insert("\(packet.source) \(packet.destination)").inserted
        guard isNew || isOnePacket else { return nil }
        let place = bed.pick(
            client: packet.source.address, port: packet.source.port, virtual: packet.destination.address)
        if let place, packet.transportProtocol == IPProtocol.tcp {
            bed.state(place).bind(isTemplate: false, isActive: true)
        }
        return (bed.picked(place).flatMap { numbers[$0] }, ())
    }

    /// Take over the counts of lines like `TCP 203.0.113.80:80 -> 10.0.2.12:80 Masq w 1 act 2 inact 0`.
    func count(_ lines: [String]) {
        guard let bed else { return }
        for line in lines {
            let words = line.split(separator: " ").map(String.init)
            guard words.count >= 10, let server = Endpoint(parsing: words[words.count - 8]),
                let active = Int32(words[words.count - 3]), let inactive = Int32(words[words.count - 1]),
                let place = bed.records.firstIndex(where: { $0.address == server.address })
            else { continue }
            bed.setCounts(place, active: active, inactive: inactive)
        }
    }
}
