import TestSupport
import Testing
import Wire

@testable import Balancer

/// A random NAT connection: who talks to whom, and its entry.
struct NATConnection {
    let bed = OneWorkerTable()
    let client: Endpoint
    let virtual: Endpoint
    let destination: Endpoint
    let transport: PacketBuilder.Transport
    let entry: ConnectionEntry

    init(_ random: inout SeededRandom, _ family: AddressFamily, _ transport: PacketBuilder.Transport) throws {
        client = Endpoint(random.address(family), UInt16.random(in: 1...UInt16.max, using: &random))
        virtual = Endpoint(random.address(family), UInt16.random(in: 1...UInt16.max, using: &random))
        let port = random.next() % 4 == 0 ? virtual.port : UInt16.random(in: 1...UInt16.max, using: &random)
        destination = Endpoint(random.address(family), port)
        self.transport = transport
        let number = PacketBuilder(from: client, to: virtual, transport).transportProtocol
        entry = try #require(bed.add(.of(client, virtual, destination, transportProtocol: number)))
    }

    func request(_ payload: [UInt8]) -> PacketBuilder {
        PacketBuilder(from: client, to: virtual, transport, payload: payload)
    }

    func reply(_ payload: [UInt8]) -> PacketBuilder {
        PacketBuilder(from: destination, to: client, transport, payload: payload)
    }
}

/// What `Classify` says of a frame.
func describe(_ bytes: PacketBytes, isV4: Bool) throws -> PacketDescription {
    var packet = PacketDescription()
    let result =
        isV4
        ? Classify.v4(bytes, at: EthernetHeader.length, into: &packet)
        : Classify.v6(bytes, at: EthernetHeader.length, into: &packet)
    guard case .packet = result else { throw NotClassified() }
    return packet
}

struct NotClassified: Error {}
