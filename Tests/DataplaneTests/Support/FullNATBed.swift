import Balancer
import TestSupport
import Testing
import Wire

@testable import Dataplane

/// Who talks to whom through FULLNAT: a client, a virtual service, a real server, and the local address between.
struct FullNATParties {
    var client: Endpoint
    var virtual: Endpoint
    var server: Endpoint
    var local: IPAddress

    static let v4 = FullNATParties(
        client: TestDirector.client, virtual: TestDirector.virtual, server: "10.0.2.11:8080",
        local: IPAddress(v4: 0x0a00_02c8))
    static let v6 = FullNATParties(
        client: TestDirector.clientV6, virtual: TestDirector.virtualV6, server: "[2001:db8:2::11]:8080",
        local: IPAddress(high: 0x2001_0db8_0002_0000, low: 0x200))
    /// An IPv6 service in front of an IPv4 server.
    static let nat64 = FullNATParties(
        client: TestDirector.clientV6, virtual: TestDirector.virtualV6, server: "10.0.2.11:8080",
        local: IPAddress(v4: 0x0a00_02c8))
    static let all = [v4, v6, nat64]

    var isNAT64: Bool { client.address.family != server.address.family }
    /// The first port handed out.
    var firstLocal: Endpoint { Endpoint(local, 1024) }
}

extension FullNATParties: CustomTestStringConvertible {
    var testDescription: String { isNAT64 ? "NAT64" : client.address.isV4 ? "IPv4" : "IPv6" }
}

/// A director with one FULLNAT service.
struct FullNATBed {
    let director: TestDirector
    let parties: FullNATParties
    let transportProtocol: UInt8
    /// The client's first sequence number.
    static let clientISN: UInt32 = 1_000_000
    /// The server's.
    static let serverISN: UInt32 = 0xffff_ff00

    init(
        _ parties: FullNATParties, _ transportProtocol: UInt8 = IPProtocol.tcp, carrier: ClientAddressCarrier = .none,
        locals: [IPAddress]? = nil, serverMTU: Int = 1500, isOnePacket: Bool = false, routes: [String] = []
    ) throws {
        director = try TestDirector(serverMTU: serverMTU, routes: routes)
        self.parties = parties
        self.transportProtocol = transportProtocol
        let key = TestDirector.key(parties.virtual, transportProtocol)
        var service = VirtualService(key: key, scheduler: .rr, isOnePacket: isOnePacket)
        service.clientAddress = carrier
        try director.engine.addService(service)
        for local in locals ?? [parties.local] { try director.engine.addLocalAddress(local, to: key) }
        try director.add(parties.server, to: key, method: .fullNAT)
    }

    /// A packet of the client.
    func request(_ transport: PacketBuilder.Transport, _ payload: [UInt8] = [], port: UInt16? = nil) -> PacketBuilder {
        var client = parties.client
        if let port { client.port = port }
        return PacketBuilder(from: client, to: parties.virtual, transport, payload: payload)
    }

    /// A packet of the server to a local address.
    func reply(_ transport: PacketBuilder.Transport, _ payload: [UInt8] = [], to local: Endpoint? = nil)
        -> PacketBuilder
    {
        PacketBuilder(from: parties.server, to: local ?? parties.firstLocal, transport, payload: payload)
            .setting(\.sourceMAC, TestDirector.server(11)).setting(\.destinationMAC, TestDirector.eth1)
    }

    /// What leaves when a frame of the client comes in.
    func forward(_ builder: PacketBuilder) -> [TestDirector.Sent] { director.receive(builder.frame()) }

    /// What leaves when a frame of the server comes in.
    func back(_ builder: PacketBuilder) -> [TestDirector.Sent] { director.receive(builder.frame(), interface: 1) }

    /// The one frame that leaves, as it says.
    static func one(_ sent: [TestDirector.Sent]) throws -> PacketSummary {
        #expect(sent.count == 1)
        return try summary(sent.first)
    }

    /// A frame as it says.
    static func summary(_ frame: TestDirector.Sent?) throws -> PacketSummary {
        let bytes = try #require(frame).bytes
        return try #require(PacketSummary(frame: bytes))
    }

    /// The packet that an ICMP error quotes, as it says.
    static func quoted(_ frame: TestDirector.Sent?) throws -> PacketSummary {
        let packet = try summary(frame).payload
        return try #require(PacketSummary(packet: packet))
    }

    // MARK: A TCP connection

    /// A handshake up to the SYN+ACK.
    /// - Returns: the number that the client's sequence numbers are moved by.
    func open(options: [UInt8] = [], serverOptions: [UInt8] = []) throws -> UInt32 {
        let syn = try Self.one(
            forward(
                request(.tcp(.syn)).setting(\.sequence, Self.clientISN).setting(\.transportOptions, options)))
        let offset = syn.sequence &- Self.clientISN
        let answer = try Self.one(
            back(
                reply(.tcp([.syn, .ack])).setting(\.sequence, Self.serverISN)
                    .setting(\.acknowledgement, syn.sequence &+ 1).setting(\.transportOptions, serverOptions)))
        #expect(answer.acknowledgement == Self.clientISN &+ 1 && answer.sequence == Self.serverISN)
        return offset
    }

    /// A segment of the client, so many bytes behind its first, having seen so many of the server's.
    func segment(_ payload: [UInt8], at place: UInt32 = 0, seen: UInt32 = 0, _ flags: TCPFlags = .ack) -> PacketBuilder
    {
        request(.tcp(flags), payload).setting(\.sequence, Self.clientISN &+ 1 &+ place)
            .setting(\.acknowledgement, Self.serverISN &+ 1 &+ seen)
    }

    /// A segment of the server that acknowledges up to `number`, as the server counts.
    func answer(_ number: UInt32, _ payload: [UInt8] = [], at place: UInt32 = 0, _ flags: TCPFlags = .ack)
        -> PacketBuilder
    {
        reply(.tcp(flags), payload).setting(\.sequence, Self.serverISN &+ 1 &+ place)
            .setting(\.acknowledgement, number)
    }
}

extension PacketSummary {
    /// TCP's sequence number.
    var sequence: UInt32 { number(4) }
    /// TCP's acknowledgement number.
    var acknowledgement: UInt32 { number(8) }
    /// TCP's options.
    var transportOptions: [UInt8] { Array(segment.prefix(Int(segment[12] >> 4) * 4).dropFirst(20)) }

    private func number(_ offset: Int) -> UInt32 { segment[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) } }
}
