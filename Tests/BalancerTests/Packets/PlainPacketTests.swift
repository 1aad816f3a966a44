import Balancer
import TestSupport
import Testing
import Wire

@Suite struct PlainPacketTests {
    private static let datagram = PacketBuilder.udp(
        from: "198.51.100.1:40000", to: "203.0.113.80:53", payload: [1, 2, 3])
    private static let segment = PacketBuilder.tcp(from: "198.51.100.1:40000", to: "203.0.113.80:80", [.ack, .psh])

    private func read(_ builder: PacketBuilder) -> PlainPacket? {
        let heap = HeapPacket(builder.frame())
        return PlainPacket(plainV4: heap.bytes)
    }

    @Test func readsWhatItIs() throws {
        let datagram = try #require(read(Self.datagram))
        #expect(datagram.source == 0xc633_6401 && datagram.destination == 0xcb00_7150)
        #expect(datagram.ports == 40000 << 16 | 53 && datagram.length == 31)
        #expect(!datagram.isTCP && datagram.checksumOffset == 6)
        let segment = try #require(read(Self.segment.setting(\.padding, 6)))
        #expect(segment.isTCP && segment.length == 40 && segment.checksumOffset == 16)
    }

    @Test func leavesTheRestToTheOthers() {
        for flags: TCPFlags in [.syn, .fin, .rst, [.syn, .ack], [.ack, .fin], [.ack, .rst], [], .psh] {
            #expect(read(.tcp(from: "198.51.100.1:40000", to: "203.0.113.80:80", flags)) == nil, "\(flags)")
        }
        #expect(read(Self.datagram.setting(\.transportChecksum, .zero)) == nil)
        #expect(read(Self.datagram.setting(\.headerChecksum, .wrong)) == nil)
        #expect(read(Self.datagram.setting(\.timeToLive, 1)) == nil)
        #expect(read(Self.datagram.setting(\.transport, .sctp)) == nil)
        for source in ["127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"] {
            #expect(read(Self.datagram.setting(\.source, Endpoint(.parse(source), 1))) == nil, "\(source)")
        }
        for fragment in Self.datagram.setting(\.payload, .init(repeating: 0, count: 64)).fragments(size: 32) {
            #expect(PlainPacket(plainV4: HeapPacket(fragment).bytes) == nil)
        }
    }

    /// A total length beyond the frame, or one that leaves no room for the header.
    @Test(arguments: [27, 32, 65535] as [UInt16])
    func lengthsMustFit(length: UInt16) {
        var frame = Self.datagram.frame()
        frame.replaceSubrange(16..<18, with: length.networkBytes)
        frame.replaceSubrange(24..<26, with: [0, 0])
        frame.replaceSubrange(24..<26, with: ReferenceChecksum.internet(Array(frame[14..<34])).networkBytes)
        #expect(PlainPacket(plainV4: HeapPacket(frame).bytes) == nil)
    }
}
