import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// Whatever packets come, rules change and time does: each destination's counts are those of the entries that point to it.
@Suite struct DirectorCountsTests {
    private static let servers: [Endpoint] = (11...16).map { Endpoint(stringLiteral: "10.0.2.\($0):80") }
    private static let key = TestDirector.key(TestDirector.virtual, IPProtocol.tcp)

    /// The model: the counts, by walking the table.
    private func counted(_ bed: TestDirector) -> [IPAddress: [Int]] {
        var counts: [IPAddress: [Int]] = [:]
        for entry in bed.entries {
            var count = counts[entry.destination] ?? [0, 0, 0]
            let place = entry.kind.contains(.template) ? 2 : TCPTracking.isActive(entry.state) ? 0 : 1
            count[place] += 1
            counts[entry.destination] = count
        }
        return counts
    }

    private func check(_ bed: TestDirector, _ step: Int) throws {
        let counted = counted(bed)
        for status in try #require(bed.engine.service(Self.key)).destinations {
            let counts = [status.activeConnections, status.inactiveConnections, status.persistentConnections].map(
                Int.init)
            let wanted = counted[status.destination.key.address] ?? [0, 0, 0]
            try #require(counts == wanted, "\(status.destination.key) after step \(step)")
        }
    }

    private func edit(_ bed: TestDirector, _ random: inout SeededRandom) throws {
        let server = Self.servers.randomElement(using: &random) ?? Self.servers[0]
        let key = DestinationKey(address: server.address, port: server.port)
        let present = try #require(bed.engine.service(Self.key)).destinations.map(\.destination.key)
        let weight = Int32.random(in: 0...3, using: &random)
        let destination = Destination(
            key: key, method: .masquerading, weight: weight,
            upperThreshold: UInt32.random(in: 0...1, using: &random) * 9)
        if !present.contains(key) {
            try bed.engine.addDestination(destination, to: Self.key)
        } else if Bool.random(using: &random) {
            try bed.engine.editDestination(destination, of: Self.key)
        } else if present.count > 1 {
            try bed.engine.removeDestination(key, of: Self.key)
        }
        if UInt8.random(in: 0..<20, using: &random) == 0, let first = present.first, first != key {
            try bed.engine.drain(
                first, of: Self.key, milliseconds: UInt64.random(in: 0...3000, using: &random),
                then: Bool.random(using: &random) ? .reset : .reassign)
        }
    }

    @Test(arguments: zip([1, 2, 3, 4] as [UInt64], [SchedulerKind.wlc, .rr, .sh, .maglev]))
    func countsAreThoseOfTheEntries(seed: UInt64, scheduler: SchedulerKind) throws {
        var random = SeededRandom(seed: seed)
        let bed = try TestDirector(entries: 1024)
        let persistence = seed % 2 == 0 ? Persistence(timeout: 20, prefixLength: 30) : nil
        try bed.engine.addService(VirtualService(key: Self.key, scheduler: scheduler, persistence: persistence))
        for server in Self.servers.prefix(3) { try bed.add(server, to: Self.key) }
        bed.engine.set(.expireNodestConn, to: Int32(seed / 2 % 2))
        let steps = TestScale.count(3000)
        for step in 0..<steps {
            let client = "198.51.100.\(UInt8.random(in: 1...12, using: &random))"
            let port = 1000 + UInt16.random(in: 0...15, using: &random)
            switch UInt8.random(in: 0..<40, using: &random) {
            case 0: try edit(bed, &random)
            case 1: _ = bed.advance(seconds: Double.random(in: 0...8, using: &random))
            case 2...8:
                guard let entry = bed.entries.randomElement(using: &random), !entry.kind.contains(.template) else {
                    continue
                }
                let flags = [TCPFlags.ack, [.syn, .ack], [.fin, .ack], .rst].randomElement(using: &random) ?? .ack
                let from = try #require(Endpoint(parsing: "\(entry.destination):80"))
                let to = try #require(Endpoint(parsing: "\(entry.client):\(entry.clientPort)"))
                _ = bed.receive(TestDirector.reply(flags, from: from, to: to).frame(), interface: 1)
            default:
                let flags = [TCPFlags.syn, .syn, .ack, .ack, [.fin, .ack], .rst].randomElement(using: &random) ?? .syn
                let from = try #require(Endpoint(parsing: "\(client):\(port)"))
                _ = bed.receive(PacketBuilder.tcp(from: from, to: TestDirector.virtual, flags).frame())
            }
            bed.begin()
            _ = bed.collect()
            try check(bed, step)
        }
        #expect(bed.isAccountedFor && bed.counters.total(.forward) > steps / 6)
        _ = bed.advance(seconds: 2000)
        #expect(bed.entries.isEmpty)
        try check(bed, -1)
    }

    /// `run_estimation` 0: counters and rates stand still, and go on when it is 1 again.
    @Test func estimationCanBeStopped() throws {
        let bed = try TestDirector()
        try bed.serve()
        bed.engine.set(.runEstimation, to: 0)
        _ = bed.receive(TestDirector.request(.syn).frame())
        _ = bed.advance(seconds: 6)
        #expect(bed.engine.services().map(\.counters.connections) == [0])
        bed.engine.set(.runEstimation, to: 1)
        _ = bed.advance(seconds: 6)
        #expect(bed.engine.services().map(\.counters.connections) == [1])
    }
}
