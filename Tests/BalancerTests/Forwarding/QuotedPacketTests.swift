import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct QuotedPacketTests {
    private func quoted(_ packet: [UInt8], isV4: Bool = true, behind: Int = 3) -> QuotedPacket? {
        HeapPacket.with([UInt8](repeating: 0xee, count: behind) + packet) {
            QuotedPacket($0, at: behind, isV4: isV4)
        }
    }

    @Test func readsTheTuple() throws {
        let packet = PacketBuilder.tcp(from: "203.0.113.80:80", to: "198.51.100.1:40000", .ack).packet()
        let found = try #require(quoted(packet))
        #expect(found.key == .between("203.0.113.80:80", "198.51.100.1:40000") && found.hasPorts)
        #expect(found.networkOffset == 3 && found.transportOffset == 23)
        let six = PacketBuilder.udp(from: "[2001:db8::1]:5", to: "[2001:db8::2]:6").packet()
        let other = try #require(quoted(six, isV4: false))
        #expect(other.key == .between("[2001:db8::1]:5", "[2001:db8::2]:6", IPProtocol.udp))
        #expect(other.transportOffset == 43)
    }

    @Test func optionsAndExtensionHeadersAreWalkedOver() throws {
        let four = PacketBuilder.udp(from: "10.0.0.1:5", to: "10.0.0.2:6").setting(\.options, [1, 1, 1, 0]).packet()
        #expect(try #require(quoted(four)).key.destinationPort == 6)
        var builder = PacketBuilder.udp(from: "[2001:db8::1]:5", to: "[2001:db8::2]:6")
        builder.extensionHeaders = [(IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0])]
        #expect(try #require(quoted(builder.packet(), isV4: false)).key.destinationPort == 6)
    }

    @Test func cutPacketsHaveNoPortsOrNothing() throws {
        let four = PacketBuilder.tcp(from: "203.0.113.80:80", to: "198.51.100.1:40000", .ack).packet()
        for length in 0..<four.count {
            let found = quoted(Array(four.prefix(length)))
            #expect((found != nil) == (length >= 20) && (found?.hasPorts ?? false) == (length >= 24))
        }
        let six = PacketBuilder.tcp(from: "[2001:db8::1]:5", to: "[2001:db8::2]:6", .ack).packet()
        for length in 0..<six.count {
            let found = quoted(Array(six.prefix(length)), isV4: false)
            #expect((found != nil) == (length >= 40) && (found?.hasPorts ?? false) == (length >= 44))
        }
        #expect(quoted(six) == nil && quoted(four, isV4: false) == nil)
    }

    /// A later fragment has payload where the first has ports.
    @Test func laterFragmentsAreNoUse() {
        for builder in [
            PacketBuilder.udp(from: "10.0.0.1:5", to: "10.0.0.2:6", payload: [UInt8](repeating: 1, count: 64)),
            PacketBuilder.udp(
                from: "[2001:db8::1]:5", to: "[2001:db8::2]:6", payload: [UInt8](repeating: 1, count: 64)),
        ] {
            let packets = builder.fragments(size: 32).map { Array($0.dropFirst(14)) }
            #expect(quoted(packets[0], isV4: !builder.isV6)?.key.destinationPort == 6)
            #expect(quoted(packets[1], isV4: !builder.isV6) == nil)
        }
    }

    @Test func arbitraryBytesDoNotTrap() {
        var random = SeededRandom(seed: 34)
        for _ in 0..<5000 {
            var bytes = random.bytes(Int.random(in: 0...80, using: &random))
            let isV4 = random.next() & 1 == 0
            if !bytes.isEmpty { bytes[0] = isV4 ? 0x40 | bytes[0] & 0xf : 0x60 }
            let found = quoted(bytes, isV4: isV4, behind: 0)
            #expect(found.map { $0.transportOffset <= bytes.count } ?? true)
        }
    }
}
