import Balancer
import TestSupport
import Testing
import Wire

@Suite struct WidePlainPacketTests {
    private static let client: Endpoint = "[2001:db8:ffff::1]:40000"
    private static let datagram = PacketBuilder.udp(from: client, to: "[2001:db8:80::80]:53", payload: [1, 2, 3])
    private static let segment = PacketBuilder.tcp(from: client, to: "[2001:db8:80::80]:80", [.ack, .psh])

    private func read(_ frame: [UInt8]) -> WidePlainPacket? {
        let heap = HeapPacket(frame)
        return withExtendedLifetime(heap) { WidePlainPacket(plainV6: heap.bytes) }
    }
    private func read(_ builder: PacketBuilder) -> WidePlainPacket? { read(builder.frame()) }

    @Test func readsWhatItIs() throws {
        let datagram = try #require(read(Self.datagram))
        #expect(datagram.source == Self.client.address && datagram.destination == .parse("2001:db8:80::80"))
        #expect(datagram.ports == 40000 << 16 | 53 && datagram.length == 51)
        #expect(!datagram.isTCP && datagram.checksumOffset == 6)
        let segment = try #require(read(Self.segment.setting(\.padding, 6)))
        #expect(segment.isTCP && segment.length == 60 && segment.checksumOffset == 16)
    }

    @Test func leavesTheRestToTheOthers() {
        for flags: TCPFlags in [.syn, .fin, .rst, [.syn, .ack], [.ack, .fin], [.ack, .rst], [], .psh] {
            #expect(read(Self.segment.setting(\.transport, .tcp(flags))) == nil, "\(flags)")
        }
        #expect(read(Self.datagram.setting(\.transportChecksum, .zero)) == nil)
        #expect(read(Self.datagram.setting(\.timeToLive, 1)) == nil)
        #expect(read(Self.datagram.setting(\.transport, .sctp)) == nil)
        for source in ["::1", "::", "ff02::1"] {
            #expect(read(Self.datagram.setting(\.source, Endpoint(.parse(source), 1))) == nil, "\(source)")
        }
        #expect(read(Self.datagram.setting(\.destination, Endpoint(.parse("ff02::1"), 53))) == nil)
        var extended = Self.datagram
        extended.extensionHeaders = [(IPProtocol.hopByHop, [0, 0, 1, 4, 0, 0, 0, 0])]
        #expect(read(extended) == nil)
        for fragment in Self.datagram.setting(\.payload, .init(repeating: 0, count: 64)).fragments(size: 32) {
            #expect(read(fragment) == nil)
        }
    }

    /// An IPv4 address in its mapped form, which is no address of the wire, at either place.
    @Test(arguments: [22, 38]) func mappedAddressesAreLeftToTheOthers(place: Int) {
        var frame = Self.datagram.frame()
        frame.replaceSubrange(place..<place + 12, with: [UInt8](repeating: 0, count: 10) + [0xff, 0xff])
        #expect(read(frame) == nil)
    }

    /// Another version, and a payload length beyond the frame, or one that leaves no room for the header.
    @Test func lengthsMustFit() {
        for length: UInt16 in [7, 12, 65535] {
            var frame = Self.datagram.frame()
            frame.replaceSubrange(18..<20, with: length.networkBytes)
            #expect(read(frame) == nil, "\(length)")
        }
        var frame = Self.datagram.frame()
        frame[14] = 0x45
        #expect(read(frame) == nil)
    }

    @Test func theKeyIsThatOfThePacket() throws {
        HeapPacket.with(Self.datagram.frame()) { bytes in
            let key = FlowKey(
                source: Self.client.address, destination: .parse("2001:db8:80::80"), sourcePort: 40000,
                destinationPort: 53, transportProtocol: IPProtocol.udp)
            #expect(Classify.plainV6(bytes) == key && Classify.plainV4(bytes) == nil)
            #expect(Classify.plainV6(bytes.prefix(57)) == nil)
        }
        HeapPacket.with(PacketBuilder.udp(from: "198.51.100.1:1", to: "203.0.113.80:53").frame()) { bytes in
            #expect(Classify.plainV6(bytes) == nil)
        }
    }
}
