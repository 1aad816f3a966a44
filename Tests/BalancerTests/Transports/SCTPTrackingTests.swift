import TestSupport
import Testing
import Wire

@testable import Balancer

/// The state tables of the kernel (`net/netfilter/ipvs/ip_vs_proto_sctp.c`), cell by cell.
@Suite struct SCTPTrackingTests {
    private static let names = ["NO", "I1", "IN", "CS", "CR", "CW", "CO", "CE", "ES", "SS", "SR", "SA", "RJ", "CL"]

    /// Chunks in the order of the rows: DATA, INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, SHUTDOWN, SHUTDOWN ACK, SHUTDOWN
    /// COMPLETE, ERROR, ABORT.
    private static let chunks: [UInt8] = [0, 1, 2, 10, 11, 7, 8, 14, 9, 6]

    struct Table: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let direction: FlowDirection
        let inputOnly: Bool
        let rows: [String]
    }

    static let tables = [
        Table(
            testDescription: "input", direction: .request, inputOnly: false,
            rows: [
                "ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL", "I1 IN IN CS CR CW CO CE ES SS SR SA IN IN",
                "CW CW CW CS CR CO CO CE ES SS SR SA RJ CL", "CR IN IN CR CR CW CO CE ES SS SR SA RJ CL",
                "ES I1 IN CS CR CW CO ES ES SS SR SA RJ CL", "SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL",
                "CL IN IN CS CR CW CO CE ES CL SR CL RJ CL", "CL CL CL CS CR CW CO CE ES SS SR CL RJ CL",
                "CL I1 IN CS CR CW CO CL ES SS SR SA RJ CL", "CL CL CL CL CL RJ CL CL CL CL CL CL CL CL",
            ]),
        Table(
            testDescription: "output", direction: .reply, inputOnly: false,
            rows: [
                "ES I1 IN CS CR CW CO CE ES SS SR SA RJ CL", "CW CW CW CW CW CW CW CW ES CW CW CW CW CW",
                "CS CS CS CS CR CW CO CE ES SS SR SA RJ CL", "CE CE CE CE CE CE CE CE ES SS SR SA RJ CL",
                "ES ES ES ES ES ES ES ES ES SS SR SA RJ CL", "SS SS SS SS SS SS SS SS SS SS SR SA RJ CL",
                "SA SA SA SA SA CW CO CE ES SA SA SA RJ CL", "CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL",
                "CL CL CL CL CL CW CO CE ES SS SR SA RJ CL", "CL RJ CL CL CL CL CL CL CL CL CL CL CL CL",
            ]),
        Table(
            testDescription: "input-only", direction: .request, inputOnly: true,
            rows: [
                "ES I1 IN CS CR ES CO CE ES SS SR SA RJ CL", "I1 IN IN IN IN IN CO CE ES SS SR SA IN IN",
                "CE CE CE CE CE CE CO CE ES SS SR SA RJ CL", "ES ES ES ES ES ES ES ES ES SS SR SA RJ CL",
                "ES I1 IN ES ES CW ES ES ES SS SR SA RJ CL", "SR I1 IN CS CR CW CO CE SR SS SR SA RJ CL",
                "CL IN IN CS CR CW CO CE CL CL SR CL RJ CL", "CL CL CL CL CL CW CO CE ES SS CL CL RJ CL",
                "CL I1 IN CS CR CW CO CE ES SS SR SA RJ CL", "CL CL CL CL CL RJ CL CL CL CL CL CL CL CL",
            ]),
    ]

    private static func next(
        _ state: UInt8, _ segment: [UInt8], _ direction: FlowDirection = .request, inputOnly: Bool = false
    ) -> UInt8 {
        HeapPacket.with(segment) { SCTPTracking.next(state, $0, direction, inputOnly: inputOnly) }
    }

    private static func segment(_ chunk: UInt8, _ value: [UInt8] = []) -> [UInt8] {
        PacketBuilder.sctp(from: "198.51.100.1:5", to: "203.0.113.80:80", chunk: chunk, value: value).segment()
    }

    @Test(arguments: tables) func everyCellIsTheKernels(table: Table) {
        for (chunk, row) in zip(Self.chunks, table.rows) {
            for (state, wanted) in row.split(separator: " ").enumerated() {
                let next = Self.next(
                    UInt8(state), Self.segment(chunk), table.direction, inputOnly: table.inputOnly)
                #expect(Self.names[Int(next)] == wanted, "\(Self.names[state]), chunk \(chunk)")
            }
        }
    }

    /// SACK, HEARTBEAT and its acknowledgement, ECNE, CWR and chunks unknown to the kernel count as DATA.
    @Test(arguments: [UInt8(3), 4, 5, 12, 13, 15, 64, 255]) func otherChunksAreData(chunk: UInt8) {
        for state in UInt8(0)..<14 {
            #expect(Self.next(state, Self.segment(chunk)) == Self.next(state, Self.segment(0)))
        }
    }

    /// An ABORT counts when it follows COOKIE ECHO or COOKIE ACK, on a multiple of four bytes.
    @Test(arguments: [UInt8(10), 11]) func anAbortBehindACookieCounts(chunk: UInt8) {
        let abort: [UInt8] = [6, 0, 0, 4]
        for length in 0...5 {
            let cookie = [UInt8](repeating: 9, count: length)
            let padding = [UInt8](repeating: 0, count: (4 - length % 4) % 4)
            #expect(Self.next(8, Self.segment(chunk, cookie) + padding + abort) == 13)
        }
        #expect(Self.next(8, Self.segment(chunk) + [3, 0, 0, 4]) == 8)
        // Cut off, or a length that is none.
        #expect(Self.next(8, Self.segment(chunk) + abort.dropLast()) == 8)
        #expect(Self.next(8, Self.segment(0).dropLast(4) + [chunk, 0, 0, 3] + abort) == 8)
        #expect(Self.next(8, Self.segment(chunk).dropLast(2) + [0xff, 0xff] + abort) == 8)
    }

    @Test func aPacketWithoutAChunkMovesNothing() {
        let header = Array(Self.segment(0).prefix(12))
        for state in UInt8(0)..<14 {
            for more in 0..<4 { #expect(Self.next(state, header + [UInt8](repeating: 1, count: more)) == state) }
        }
    }

    @Test func knowsStartAndAbort() {
        #expect(HeapPacket.with(Self.segment(1)) { SCTPTracking.isStart($0) })
        #expect(!HeapPacket.with(Self.segment(2)) { SCTPTracking.isStart($0) })
        #expect(!HeapPacket.with(Array(Self.segment(1).prefix(15))) { SCTPTracking.isStart($0) })
        #expect(HeapPacket.with(Self.segment(6)) { SCTPTracking.isAbort($0) })
        #expect(!HeapPacket.with(Self.segment(1)) { SCTPTracking.isAbort($0) })
    }

    @Test func namesAndTimeoutsAreTheKernels() {
        let wanted: [(String, UInt32)] = [
            ("NONE", 2), ("INIT1", 4), ("INIT", 61), ("C-SENT", 61), ("C-REPLIED", 61), ("C-WAIT", 61), ("COOKIE", 61),
            ("C-ECHOED", 61), ("ESTABLISHED", 900), ("S-SENT", 61), ("S-RECEIVED", 61), ("S-ACK-SENT", 61),
            ("REJECTED", 4), ("CLOSED", 61),
        ]
        #expect(SCTPState.allCases.count == wanted.count)
        for (state, (name, timeout)) in zip(SCTPState.allCases, wanted) {
            #expect(state.name == name && state.defaultTimeout == timeout)
            #expect(SCTPTracking.isActive(state.rawValue) == (name == "ESTABLISHED"))
        }
    }

    /// BEHAVIOUR.md 4: DR goes from INIT1 straight to ESTABLISHED with COOKIE ECHO.
    @Test func directRoutingIsEstablishedByTheCookie() {
        #expect(Self.next(0, Self.segment(1), inputOnly: true) == 1)
        #expect(Self.next(1, Self.segment(10), inputOnly: true) == 8)
        // NAT: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK.
        var state = Self.next(0, Self.segment(1))
        state = Self.next(state, Self.segment(2), .reply)
        #expect(state == 3)
        state = Self.next(state, Self.segment(10))
        #expect(state == 4)
        #expect(Self.next(state, Self.segment(11), .reply) == 8)
    }
}
