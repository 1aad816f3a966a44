import Balancer
import Control
import Foundation
import Testing
import Wire

/// Every listing of the project's recordings: the rules are restored from `-Sn`, counts and counters taken from the
/// recorded columns, and what is then printed must be what the kernel's tool printed.
@Suite struct ListingTests {
    /// A snapshot of `list.txt`: the listings by the options they were asked for with.
    typealias Snapshot = [String: String]

    private static func snapshots(_ name: String) throws -> [Snapshot] {
        var snapshots: [Snapshot] = []
        for section in try Vectors.list(name).components(separatedBy: "===== [").dropFirst() {
            let end = try #require(section.firstIndex(of: "\n"))
            let command = try #require(section[..<end].components(separatedBy: "ipvsadm ").last)
            var body = String(section[section.index(after: end)...])
            // Each listing but the file's last is followed by an empty line.
            if body.hasSuffix("\n\n") || body == "\n" { body.removeLast() }
            if command == "-Ln" { snapshots.append([:]) }
            snapshots[snapshots.count - 1][command] = body
        }
        return snapshots
    }

    /// The numbers of each destination of a listing, by its first words (`  -> 10.0.2.11:80`), services in order.
    private static func rows(_ text: String) -> [(service: String, rows: [(key: String, numbers: [UInt64])])] {
        var services: [(service: String, rows: [(key: String, numbers: [UInt64])])] = []
        for line in text.split(separator: "\n").drop(while: { !$0.contains("RemoteAddress") }).dropFirst() {
            let words = line.split(separator: " ")
            if words.first == "->", words.count > 1 {
                services[services.count - 1].rows.append((String(words[1]), words.compactMap { UInt64($0) }))
            } else {
                services.append((String(line), []))
            }
        }
        return services
    }

    private static func counters(_ numbers: [UInt64]) -> TrafficCounters {
        TrafficCounters(
            connections: numbers[0], inPackets: numbers[1], outPackets: numbers[2], inBytes: numbers[3],
            outBytes: numbers[4])
    }

    /// The last five numbers of a service's line.
    private static func totals(_ line: String) -> [UInt64] {
        line.split(separator: " ").compactMap { UInt64($0) }.suffix(5).map(\.self)
    }

    @Test(arguments: Vectors.names) func everyRecordedListingIsPrintedAlike(name: String) throws {
        for snapshot in try Self.snapshots(name) {
            let executor = CommandExecutor.recorded
            let table = KernelRuleTable()
            let saved = try #require(snapshot["-Sn"])
            #expect(executor.execute(["-R"], standardInput: saved, on: table) == CommandResult())
            let thresholds = Self.rows(try #require(snapshot["-Ln --thresholds"]))
            let persistent = Self.rows(try #require(snapshot["-Ln --persistent-conn"]))
            let statistics = Self.rows(try #require(snapshot["-Ln --stats"]))
            let rates = Self.rows(try #require(snapshot["-Ln --rate"]))
            // Restored in the listing's order, so places agree; destinations are newest first.
            var place = 0
            table.update { service in
                service.counters = Self.counters(Self.totals(statistics[place].service))
                service.rates = Self.counters(Self.totals(rates[place].service))
                for (row, index) in service.destinations.indices.reversed().enumerated() {
                    let limits = thresholds[place].rows[row].numbers
                    service.destinations[index].destination.upperThreshold = UInt32(limits[0])
                    service.destinations[index].destination.lowerThreshold = UInt32(limits[1])
                    service.destinations[index].activeConnections = UInt32(limits[2])
                    service.destinations[index].inactiveConnections = UInt32(limits[3])
                    service.destinations[index].persistentConnections = UInt32(persistent[place].rows[row].numbers[1])
                    service.destinations[index].counters = Self.counters(statistics[place].rows[row].numbers)
                    service.destinations[index].rates = Self.counters(rates[place].rows[row].numbers)
                }
                place += 1
            }
            table.connectionEntries = try Self.connections(try #require(snapshot["-Lnc"]))
            table.timeouts = try Self.timeouts(try #require(snapshot["-Ln --timeout"]))
            for (options, text) in snapshot {
                let printed = executor.execute(options.components(separatedBy: " "), on: table)
                #expect(printed == CommandResult(standardOutput: text), "\(name): \(options)")
            }
        }
    }

    private static func timeouts(_ text: String) throws -> Timeouts {
        let numbers = text.split(whereSeparator: { $0 == " " || $0 == "\n" }).compactMap { UInt32($0) }
        return Timeouts(
            tcp: try #require(numbers.first), tcpFin: try #require(numbers.dropFirst().first),
            udp: try #require(numbers.last))
    }

    private static func connections(_ text: String) throws -> [ConnectionStatus] {
        try text.split(separator: "\n").dropFirst(2).map { line in
            let words = line.split(separator: " ").map(String.init)
            let time = words[1].split(separator: ":").compactMap { Int($0) }
            return ConnectionStatus(
                transportProtocol: ["TCP": 6, "UDP": 17, "SCTP": 132][words[0]] ?? 0,
                remainingSeconds: time[0] * 60 + time[1], state: words[2], client: try end(words[3]),
                virtual: try end(words[4]), destination: try end(words[5]))
        }
    }

    private static func end(_ text: String) throws -> DestinationKey {
        let colon = try #require(text.lastIndex(of: ":"))
        let host = text[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        return DestinationKey(
            address: try #require(IPAddress(host)), port: try #require(UInt16(text[text.index(after: colon)...])))
    }

    @Test func largeNumbersAreShortened() {
        let table = KernelRuleTable()
        let executor = CommandExecutor.recorded
        #expect(executor.execute(["-A", "-t", "192.0.2.1:80"], on: table).status == 0)
        table.update {
            $0.counters = TrafficCounters(
                connections: 99_999_999, inPackets: 100_000_000, outPackets: 1_999_999_999,
                inBytes: 123_456_789_012, outBytes: 123_456_789_012_345)
        }
        let short = executor.execute(["-Ln", "--stats", "-t", "192.0.2.1:80"], on: table).standardOutput
        #expect(short.hasSuffix("TCP  192.0.2.1:80                 99999999  100000K    1999M     123G     123T\n"))
        let exact = executor.execute(["-Ln", "--stats", "--exact", "-t", "192.0.2.1:80"], on: table).standardOutput
        #expect(
            exact.hasSuffix(
                "TCP  192.0.2.1:80                 99999999 100000000 1999999999 123456789012 123456789012345\n"))
    }

    @Test func expiriesOfTenMinutesAndMoreKeepTheirColumns() {
        let table = KernelRuleTable()
        let end = DestinationKey(address: IPAddress(v4: 0x0a00_0001), port: 80)
        table.connectionEntries = [899, 0, -3, 360_000].map {
            ConnectionStatus(
                transportProtocol: 6, remainingSeconds: $0, state: "ESTABLISHED", client: end, virtual: end,
                destination: end)
        }
        let lines = CommandExecutor.recorded.execute(["-Lcn"], on: table).standardOutput.split(separator: "\n")
        #expect(
            lines.dropFirst(2).map { $0.prefix(11) } == ["TCP 14:59  ", "TCP 00:00  ", "TCP 00:00  ", "TCP 6000:00"])
    }
}
