import Synchronization
import TestSupport
import Testing
import Wire

@testable import Balancer

/// An entry, its destination's counts and the settings.
final class TransportBed: @unchecked Sendable {
    let bed = OneWorkerTable(entries: 4096)
    let state = StateMemory(destinations: 4, services: 4, provider: .heap)
    let settings = Settings()
    private var made = 0

    /// Active and inactive connections of destination 0.
    var counts: [Int32] { [state.slots.destination(0).active, state.slots.destination(0).inactive] }

    /// An entry in the table, bound to destination 0.
    func entry(
        _ method: ForwardingMethod = .masquerading, transportProtocol: UInt8 = IPProtocol.tcp, state first: UInt8 = 0
    ) throws -> ConnectionEntry {
        made += 1
        let fields = EntryFields.of(
            Endpoint(IPAddress(v4: 1), UInt16(made)), "203.0.113.80:80", "10.0.2.11:80", method,
            transportProtocol: transportProtocol, state: first)
        let entry = try #require(bed.add(fields))
        state.slots.destination(0).bind(isTemplate: false, isActive: false)
        return entry
    }

    func advance(_ entry: ConnectionEntry, _ transport: Transport, _ flags: TCPFlags, _ direction: FlowDirection)
        -> StateChange
    {
        HeapPacket.with([UInt8](repeating: 0, count: 20)) {
            transport.advance(
                entry, flags: flags, transport: $0, direction: direction, settings: settings.view, slots: state.slots,
                now: bed.now)
        }
    }

    /// End an entry as a worker does.
    func end(_ entry: ConnectionEntry) {
        guard bed.table.remove(entry) else { return }
        state.slots.destination(0).unbind(isTemplate: false, isActive: entry.flags.contains(.active))
    }
}

@Suite struct TransportTests {
    /// Client or server, flags, state afterwards, active, inactive: NAT, the client closes.
    @Test func aConnectionThroughNATMovesTheCounts() throws {
        let bed = TransportBed()
        let entry = try bed.entry()
        #expect(bed.counts == [0, 1])
        let walk: [(FlowDirection, TCPFlags, TCPState, [Int32], UInt32)] = [
            (.request, .syn, .synReceived, [1, 0], 60), (.reply, [.syn, .ack], .synReceived, [1, 0], 60),
            (.request, .ack, .established, [1, 0], 900), (.request, [.ack, .psh], .established, [1, 0], 900),
            (.request, [.fin, .ack], .closeWait, [0, 1], 60), (.reply, [.fin, .ack], .timeWait, [0, 1], 120),
            (.request, .ack, .timeWait, [0, 1], 120), (.request, .syn, .synReceived, [1, 0], 60),
            (.reply, .rst, .close, [0, 1], 10),
        ]
        for (direction, flags, state, counts, seconds) in walk {
            bed.bed.now += 10
            let change = bed.advance(entry, .tcp, flags, direction)
            #expect(change.new == state.rawValue && entry.state == state.rawValue)
            #expect(bed.counts == counts)
            #expect(entry.timeout == Ticks.seconds(seconds) && entry.deadline == bed.bed.now + entry.timeout)
        }
        bed.end(entry)
        #expect(bed.counts == [0, 0] && bed.state.slots.destination(0).references == 0)
    }

    @Test func directRoutingUsesTheInputOnlyTable() throws {
        let bed = TransportBed()
        let entry = try bed.entry(.directRouting)
        let walk: [(TCPFlags, TCPState)] = [
            (.syn, .synReceived), (.ack, .established), ([.fin, .ack], .finWait), (.ack, .finWait),
        ]
        for (flags, state) in walk {
            #expect(bed.advance(entry, .tcp, flags, .request).new == state.rawValue)
            #expect(entry.flags.contains(.noOutput))
        }
        // A packet of the server ends that.
        _ = bed.advance(entry, .tcp, .ack, .reply)
        #expect(!entry.flags.contains(.noOutput))
        #expect(bed.advance(entry, .tcp, .fin, .request).new == TCPState.timeWait.rawValue)
    }

    /// DR under secure_tcp waits in SYNACK, not in SYN_RECV, and is established by the client's ACK. The tables hold from 2
    /// on, which stands while entries are short (`DefenseTests`).
    @Test func secureTablesApplyFromTwo() throws {
        let bed = TransportBed()
        for (value, state) in [(0, TCPState.synReceived), (1, .synReceived), (2, .synAck), (3, .synAck)] {
            bed.settings[.secureTcp] = Int32(value)
            let entry = try bed.entry(.directRouting)
            #expect(bed.advance(entry, .tcp, .syn, .request).new == state.rawValue)
            #expect(bed.advance(entry, .tcp, .ack, .request).new == TCPState.established.rawValue)
        }
        #expect(bed.counts == [4, 0])
    }

    /// A service's own timeouts go before the settings'; a 0 does not.
    @Test func timeoutsMayBeTheServices() throws {
        let bed = TransportBed()
        let entry = try bed.entry(.masquerading)
        bed.state.slots.destination(entry.destinationSlot).setTimeouts(Timeouts(tcp: 11, tcpFin: 0, udp: 13))
        _ = bed.advance(entry, .tcp, .syn, .request)
        #expect(entry.timeout == Ticks.seconds(60))
        _ = bed.advance(entry, .tcp, .ack, .reply)
        #expect(entry.timeout == Ticks.seconds(11))
        _ = bed.advance(entry, .tcp, .fin, .reply)
        #expect(entry.state == TCPState.finWait.rawValue && entry.timeout == Ticks.seconds(120))
        bed.state.slots.destination(entry.destinationSlot).setTimeouts(Timeouts(tcp: 0, tcpFin: 12, udp: 0))
        _ = bed.advance(entry, .tcp, .ack, .reply)
        #expect(entry.timeout == Ticks.seconds(12))
        bed.state.slots.destination(entry.destinationSlot).setTimeouts(nil)
        _ = bed.advance(entry, .tcp, .ack, .reply)
        #expect(entry.timeout == Ticks.seconds(120))
    }

    @Test func onlyEstablishedCountsInSCTP() throws {
        let bed = TransportBed()
        let entry = try bed.entry(transportProtocol: IPProtocol.sctp, state: SCTPState.cookieReplied.rawValue)
        func send(_ chunk: UInt8, _ direction: FlowDirection) -> UInt8 {
            let segment = PacketBuilder.sctp(from: "10.0.2.11:80", to: "198.51.100.1:5", chunk: chunk).segment()
            return HeapPacket.with(segment) {
                Transport.sctp.advance(
                    entry, flags: [], transport: $0, direction: direction, settings: bed.settings.view,
                    slots: bed.state.slots, now: 0
                ).new
            }
        }
        #expect(bed.counts == [0, 1])
        #expect(send(11, .reply) == 8 && bed.counts == [1, 0] && entry.timeout == Ticks.seconds(900))
        #expect(send(0, .request) == 8 && bed.counts == [1, 0])
        #expect(send(6, .request) == 13 && bed.counts == [0, 1] && entry.timeout == Ticks.seconds(61))
    }

    /// Two workers move the same entries at once: each move of the state moves a count once.
    @Test func countsMoveOnceWithTwoThreads() throws {
        let bed = TransportBed()
        let entries = try (0..<16).map { _ in try bed.entry().index }
        let turns = TestScale.count(debug: 20_000, release: 200_000)
        let table = bed.bed.memory
        Threads.run(2) { number in
            var random = SeededRandom(seed: UInt64(number))
            for _ in 0..<turns {
                let entry = table.table.entry(random.pick(entries))
                let flags = random.pick([TCPFlags.syn, .ack, .fin, .rst])
                _ = bed.advance(entry, .tcp, flags, random.next() & 1 == 0 ? .request : .reply)
            }
        }
        let active = entries.filter { TCPTracking.isActive(table.table.entry($0).state) }.count
        #expect(bed.counts == [Int32(active), Int32(16 - active)])
        #expect(
            entries.allSatisfy {
                table.table.entry($0).flags.contains(.active) == TCPTracking.isActive(table.table.entry($0).state)
            })
    }

    /// One worker ends entries while another moves their state: nothing is left in the counts.
    @Test func countsEndAtZeroWhenEntriesEndUnderWay() throws {
        let bed = TransportBed()
        for _ in 0..<TestScale.count(debug: 20, release: 60) {
            let entries = try (0..<10).map { _ in try bed.entry().index }
            let memory = bed.bed.memory
            let barrier = Barrier(2)
            Threads.run(2) { number in
                barrier.wait()
                for index in entries {
                    let entry = memory.table.entry(index)
                    if number == 0 {
                        for flags in [TCPFlags.syn, .ack, .rst, .syn] { _ = bed.advance(entry, .tcp, flags, .request) }
                    } else {
                        bed.end(entry)
                    }
                }
            }
            #expect(bed.counts == [0, 0])
        }
    }

    @Test func aRemovedEntryKeepsItsCount() throws {
        let bed = TransportBed()
        let entry = try bed.entry()
        _ = bed.advance(entry, .tcp, .syn, .request)
        bed.end(entry)
        #expect(bed.counts == [0, 0])
        _ = bed.advance(entry, .tcp, .rst, .reply)
        _ = bed.advance(entry, .tcp, .fin, .reply)
        #expect(bed.counts == [0, 0])
    }

    @Test func finishedStatesAreScheduledAnew() {
        for state in TCPState.allCases {
            let isFinished = state == .timeWait || state == .close
            #expect(Transport.tcp.isFinished(state.rawValue, flags: .none, reuseMode: 1) == isFinished)
            #expect(
                Transport.tcp.isFinished(state.rawValue, flags: .noOutput, reuseMode: 3)
                    == (isFinished || state == .finWait))
            #expect(Transport.tcp.isFinished(state.rawValue, flags: .none, reuseMode: 3) == isFinished)
        }
        #expect(!Transport.udp.isFinished(0, flags: .none, reuseMode: 1))
        for state in SCTPState.allCases {
            #expect(Transport.sctp.isFinished(state.rawValue, flags: .none, reuseMode: 1) == (state == .closed))
        }
    }

    @Test func knowsWhatOpensAndWhatAssures() {
        HeapPacket.with([UInt8](repeating: 0, count: 20)) { bytes in
            #expect(Transport.tcp.opens(flags: [.syn, .ack], transport: bytes))
            #expect(
                !Transport.tcp.opens(flags: .ack, transport: bytes)
                    && !Transport.udp.opens(flags: .syn, transport: bytes))
        }
        #expect(Transport.tcp.assures(StateChange(old: 3, new: 1), .request))
        #expect(!Transport.tcp.assures(StateChange(old: 1, new: 1), .reply))
        #expect(Transport.udp.assures(StateChange(old: 0, new: 0), .reply))
        #expect(!Transport.udp.assures(StateChange(old: 0, new: 0), .request))
        #expect(Transport.sctp.assures(StateChange(old: 4, new: 8), .reply))
    }

    @Test func protocolsAreKnownByTheirNumbers() {
        #expect(Transport(IPProtocol.tcp) == .tcp && Transport(IPProtocol.udp) == .udp)
        #expect(Transport(IPProtocol.sctp) == .sctp && Transport(IPProtocol.icmp) == nil)
        #expect(Transport.allCases.map(\.minimumHeader) == [20, 8, 12])
        #expect(Transport.tcp.name(of: 15) == "NONE" && Transport.sctp.name(of: 8) == "ESTABLISHED")
    }
}
