import Testing
import Wire

@testable import Balancer

/// The state tables of the kernel (`net/netfilter/ipvs/ip_vs_proto_tcp.c`), cell by cell, and those of BEHAVIOUR.md that
/// were recorded.
@Suite struct TCPTrackingTests {
    private static let columns: [TCPState] = [
        .none, .established, .synSent, .synReceived, .finWait, .timeWait, .close, .closeWait, .lastAck, .listen,
        .synAck,
    ]
    private static let names = ["NO", "ES", "SS", "SR", "FW", "TW", "CL", "CW", "LA", "LI", "SA"]

    /// A table of four rows: SYN, FIN, ACK, RST.
    struct Table: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let direction: FlowDirection
        let inputOnly: Bool
        let secure: Bool
        let rows: [String]
    }

    static let tables = [
        Table(
            testDescription: "input", direction: .request, inputOnly: false, secure: false,
            rows: [
                "SR ES ES SR SR SR SR SR SR SR SR", "CL CW SS TW TW TW CL CW LA LI TW",
                "ES ES SS ES FW TW CL CW CL LI ES", "CL CL CL SR CL CL CL CL LA LI SR",
            ]),
        Table(
            testDescription: "output", direction: .reply, inputOnly: false, secure: false,
            rows: [
                "SS ES SS SR SS SS SS SS SS LI SR", "TW FW SS TW FW TW CL TW LA LI TW",
                "ES ES SS ES FW TW CL CW LA ES ES", "CL CL SS CL CL TW CL CL CL CL CL",
            ]),
        Table(
            testDescription: "input-only", direction: .request, inputOnly: true, secure: false,
            rows: [
                "SR ES ES SR SR SR SR SR SR SR SR", "CL FW SS TW FW TW CL CW LA LI TW",
                "ES ES SS ES FW TW CL CW CL LI ES", "CL CL CL SR CL CL CL CL LA LI CL",
            ]),
        Table(
            testDescription: "secure input", direction: .request, inputOnly: false, secure: true,
            rows: [
                "SR ES ES SR SR SR SR SR SR SR SA", "CL CW SS TW TW TW CL CW LA LI SA",
                "ES ES SS SR FW TW CL CW CL LI SA", "CL CL CL SR CL CL CL CL LA LI CL",
            ]),
        Table(
            testDescription: "secure output", direction: .reply, inputOnly: false, secure: true,
            rows: [
                "SS ES SS SA SS SS SS SS SS LI SA", "TW FW SS TW FW TW CL TW LA LI TW",
                "ES ES SS ES FW TW CL CW LA ES ES", "CL CL SS CL CL TW CL CL CL CL CL",
            ]),
        Table(
            testDescription: "secure input-only", direction: .request, inputOnly: true, secure: true,
            rows: [
                "SA ES ES SR SA SA SA SA SA SA SA", "CL FW SS TW FW TW CL CW LA LI TW",
                "ES ES SS ES FW TW CL CW CL LI ES", "CL CL CL SR CL CL CL CL LA LI CL",
            ]),
    ]

    @Test(arguments: tables) func everyCellIsTheKernels(table: Table) {
        for (flags, row) in zip([TCPFlags.syn, .fin, .ack, .rst], table.rows) {
            for (state, wanted) in zip(Self.columns, row.split(separator: " ")) {
                let next = TCPTracking.next(
                    state.rawValue, flags, table.direction, inputOnly: table.inputOnly, secure: table.secure)
                #expect(Self.names[Int(next)] == wanted, "\(state) \(flags)")
            }
        }
        for state in Self.columns {
            let next = TCPTracking.next(
                state.rawValue, .psh, table.direction, inputOnly: table.inputOnly, secure: table.secure)
            #expect(next == TCPState.close.rawValue)
        }
    }

    @Test func resetWinsOverSynOverFinOverAck() {
        for state in TCPState.allCases {
            for raw in UInt8(0)..<64 {
                let flags = TCPFlags(rawValue: raw)
                let one: TCPFlags =
                    flags.contains(.rst)
                    ? .rst
                    : flags.contains(.syn) ? .syn : flags.contains(.fin) ? .fin : flags.contains(.ack) ? .ack : []
                for direction in [FlowDirection.request, .reply] {
                    #expect(
                        TCPTracking.next(state.rawValue, flags, direction, inputOnly: false, secure: false)
                            == TCPTracking.next(state.rawValue, one, direction, inputOnly: false, secure: false))
                }
            }
        }
    }

    // MARK: BEHAVIOUR.md, section 4

    /// A recorded table as it stands there: the state, then what SYN, FIN, ACK, RST and none of them lead to.
    struct Recorded: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let direction: FlowDirection
        let inputOnly: Bool
        let secure: Bool
        let text: String
    }

    static let recorded = [
        Recorded(
            testDescription: "NAT, packet from the client", direction: .request, inputOnly: false, secure: false,
            text: """
                NONE        SYN_RECV     .            .            .            .
                ESTABLISHED ESTABLISHED  CLOSE_WAIT   ESTABLISHED  CLOSE        CLOSE
                SYN_SENT    ESTABLISHED  SYN_SENT     SYN_SENT     CLOSE        CLOSE
                SYN_RECV    SYN_RECV     TIME_WAIT    ESTABLISHED  SYN_RECV     CLOSE
                FIN_WAIT    SYN_RECV     TIME_WAIT    FIN_WAIT     CLOSE        CLOSE
                TIME_WAIT   SYN_RECV     TIME_WAIT    TIME_WAIT    CLOSE        CLOSE
                CLOSE       SYN_RECV     CLOSE        CLOSE        CLOSE        CLOSE
                CLOSE_WAIT  SYN_RECV     CLOSE_WAIT   CLOSE_WAIT   CLOSE        CLOSE
                """),
        Recorded(
            testDescription: "NAT, packet from the server", direction: .reply, inputOnly: false, secure: false,
            text: """
                ESTABLISHED ESTABLISHED  FIN_WAIT     ESTABLISHED  CLOSE        CLOSE
                SYN_SENT    SYN_SENT     SYN_SENT     SYN_SENT     SYN_SENT     CLOSE
                SYN_RECV    SYN_RECV     TIME_WAIT    ESTABLISHED  CLOSE        CLOSE
                FIN_WAIT    SYN_SENT     FIN_WAIT     FIN_WAIT     CLOSE        CLOSE
                TIME_WAIT   SYN_SENT     TIME_WAIT    TIME_WAIT    TIME_WAIT    CLOSE
                CLOSE       SYN_SENT     CLOSE        CLOSE        CLOSE        CLOSE
                CLOSE_WAIT  SYN_SENT     TIME_WAIT    CLOSE_WAIT   CLOSE        CLOSE
                """),
        Recorded(
            testDescription: "DR, TUN, packet from the client", direction: .request, inputOnly: true, secure: false,
            text: """
                NONE        SYN_RECV     .            .            .            .
                ESTABLISHED ESTABLISHED  FIN_WAIT     ESTABLISHED  CLOSE        CLOSE
                SYN_RECV    SYN_RECV     TIME_WAIT    ESTABLISHED  SYN_RECV     CLOSE
                FIN_WAIT    SYN_RECV     FIN_WAIT     FIN_WAIT     CLOSE        CLOSE
                TIME_WAIT   SYN_RECV     TIME_WAIT    TIME_WAIT    CLOSE        CLOSE
                CLOSE       SYN_RECV     CLOSE        CLOSE        CLOSE        CLOSE
                """),
        Recorded(
            testDescription: "NAT, secure_tcp=3, packet from the client", direction: .request, inputOnly: false,
            secure: true,
            text: """
                NONE        SYN_RECV     .            .            .            .
                ESTABLISHED ESTABLISHED  CLOSE_WAIT   ESTABLISHED  CLOSE        CLOSE
                SYN_SENT    ESTABLISHED  SYN_SENT     SYN_SENT     CLOSE        CLOSE
                SYN_RECV    SYN_RECV     TIME_WAIT    SYN_RECV     SYN_RECV     CLOSE
                FIN_WAIT    SYN_RECV     TIME_WAIT    FIN_WAIT     CLOSE        CLOSE
                TIME_WAIT   SYN_RECV     TIME_WAIT    TIME_WAIT    CLOSE        CLOSE
                CLOSE       SYN_RECV     CLOSE        CLOSE        CLOSE        CLOSE
                CLOSE_WAIT  SYN_RECV     CLOSE_WAIT   CLOSE_WAIT   CLOSE        CLOSE
                SYNACK      SYNACK       SYNACK       SYNACK       CLOSE        CLOSE
                """),
        Recorded(
            testDescription: "NAT, secure_tcp=3, packet from the server", direction: .reply, inputOnly: false,
            secure: true,
            text: """
                ESTABLISHED ESTABLISHED  FIN_WAIT     ESTABLISHED  CLOSE        CLOSE
                SYN_SENT    SYN_SENT     SYN_SENT     SYN_SENT     SYN_SENT     CLOSE
                SYN_RECV    SYNACK       TIME_WAIT    ESTABLISHED  CLOSE        CLOSE
                FIN_WAIT    SYN_SENT     FIN_WAIT     FIN_WAIT     CLOSE        CLOSE
                TIME_WAIT   SYN_SENT     TIME_WAIT    TIME_WAIT    TIME_WAIT    CLOSE
                CLOSE       SYN_SENT     CLOSE        CLOSE        CLOSE        CLOSE
                CLOSE_WAIT  SYN_SENT     TIME_WAIT    CLOSE_WAIT   CLOSE        CLOSE
                SYNACK      SYNACK       TIME_WAIT    ESTABLISHED  CLOSE        CLOSE
                """),
    ]

    @Test(arguments: recorded) func everyRecordedCellIsMet(table: Recorded) throws {
        for line in table.text.split(separator: "\n") {
            let words = line.split(separator: " ")
            let state = try #require(TCPState.allCases.first { $0.name == words[0] })
            for (flags, wanted) in zip([TCPFlags.syn, .fin, .ack, .rst, []], words.dropFirst()) where wanted != "." {
                let next = TCPTracking.next(
                    state.rawValue, flags, table.direction, inputOnly: table.inputOnly, secure: table.secure)
                #expect(Transport.tcp.name(of: next) == wanted, "\(state.name) \(flags)")
            }
        }
    }

    @Test func timeoutsAreTheKernels() {
        let seconds: [TCPState: UInt32] = [
            .none: 2, .established: 900, .synSent: 120, .synReceived: 60, .finWait: 120, .timeWait: 120, .close: 10,
            .closeWait: 60, .lastAck: 30, .listen: 120, .synAck: 120,
        ]
        for state in TCPState.allCases { #expect(state.defaultTimeout == seconds[state]) }
    }

    @Test func activeStatesAreTheKernels() {
        let active: Set<TCPState> = [.established, .synSent, .synReceived, .synAck]
        for state in TCPState.allCases { #expect(TCPTracking.isActive(state.rawValue) == active.contains(state)) }
        let embryonic: Set<TCPState> = [.none, .synReceived, .synAck]
        for state in TCPState.allCases { #expect(TCPTracking.isEmbryonic(state.rawValue) == embryonic.contains(state)) }
    }
}
