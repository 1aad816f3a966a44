import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct FamilyTranslationTests {
    private static let client: Endpoint = "[2001:db8:ffff::1]:40000"
    private static let virtual: Endpoint = "[2001:db8:80::80]:80"
    private static let local: Endpoint = "10.0.2.200:40000"
    private static let server: Endpoint = "10.0.2.11:80"

    /// A frame translated, its transport checksum brought up to date.
    private static func translated(_ builder: PacketBuilder, mayFragment: Bool = false) throws -> [UInt8] {
        let heap = HeapPacket(builder.frame())
        return try withExtendedLifetime(heap) {
            var packet = try describe(heap.bytes, isV4: !builder.isV6)
            var frame = heap.frame()
            var difference: UInt64 = 0
            if builder.isV6 {
                difference = FamilyTranslation.toV4(
                    &frame, &packet, source: local.address, destination: server.address, identification: 77,
                    mayFragment: mayFragment)
            } else {
                let isDone = FamilyTranslation.toV6(
                    &frame, &packet, source: virtual.address, destination: client.address, difference: &difference)
                #expect(isDone)
            }
            #expect(packet.networkLength == frame.length - 14 && packet.isV4 == builder.isV6)
            let offset = builder.transportProtocol == IPProtocol.tcp ? 16 : 6
            TransportChecksum.adjust(
                frame.bytes.dropping(packet.transportOffset), at: offset, state: .complete, addresses: difference,
                fields: 0)
            return frame.bytes.array()
        }
    }

    /// The packet is the one that would have been built in the other family.
    @Test(arguments: [PacketBuilder.Transport.tcp([.ack, .psh]), .udp])
    func packetsAreThoseOfTheOtherFamily(transport: PacketBuilder.Transport) throws {
        var random = SeededRandom(seed: 64)
        for length in [0, 1, 5, 1199, 1220, 1241, 1400] {
            let payload = random.bytes(length)
            let six = PacketBuilder(from: Self.client, to: Self.virtual, transport, payload: payload)
                .setting(\.typeOfService, 0x2e).setting(\.timeToLive, 17).setting(\.flowLabel, 0x12345)
            let header = 20 + six.segment().count
            let four = PacketBuilder(from: Self.local, to: Self.server, transport, payload: payload)
                .setting(\.typeOfService, 0x2e).setting(\.timeToLive, 17)
                .setting(\.doesNotFragment, header > 1260).setting(\.identification, header > 1260 ? 0 : 77)
            #expect(try Self.translated(six) == four.frame(), "\(length)")
            let back = PacketBuilder(from: Self.server, to: Self.local, transport, payload: payload)
                .setting(\.typeOfService, 0x2e).setting(\.timeToLive, 17)
            let wanted = PacketBuilder(
                from: Endpoint(Self.virtual.address, Self.server.port),
                to: Endpoint(Self.client.address, Self.local.port), transport, payload: payload
            ).setting(\.typeOfService, 0x2e).setting(\.timeToLive, 17)
            #expect(try Self.translated(back) == wanted.frame(), "\(length)")
        }
    }

    /// Extension headers and options are left out.
    @Test func whatTheOtherFamilyHasNotIsLeftOut() throws {
        var six = PacketBuilder.tcp(from: Self.client, to: Self.virtual, .ack, payload: [1, 2, 3])
        let plain = try Self.translated(six)
        six.extensionHeaders = [(IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0])]
        #expect(try Self.translated(six) == plain)
        let four = PacketBuilder.tcp(from: Self.server, to: Self.local, .ack, payload: [1, 2, 3])
        for count in [4, 20, 24, 40] {
            let options = [UInt8](repeating: 1, count: count)
            #expect(try Self.translated(four.setting(\.options, options)) == Self.translated(four))
        }
    }

    /// What its sender fragmented may be fragmented.
    @Test func fragmentsLeaveDontFragmentClear() throws {
        let long = PacketBuilder.udp(from: Self.client, to: Self.virtual, payload: [UInt8](repeating: 1, count: 1400))
        let summary = PacketSummary(frame: try Self.translated(long, mayFragment: true))
        #expect(summary?.doesNotFragment == false && summary?.identification == 77)
    }
}
