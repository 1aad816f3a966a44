import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct ClassifyTests {
    private func classify(_ frame: [UInt8], isV4: Bool = true) -> PacketDescription? {
        HeapPacket.with(frame) { try? describe($0, isV4: isV4) }
    }

    private func reason(_ frame: [UInt8], isV4: Bool = true) -> DropReason? {
        HeapPacket.with(frame) { bytes in
            var packet = PacketDescription()
            let result = isV4 ? Classify.v4(bytes, at: 14, into: &packet) : Classify.v6(bytes, at: 14, into: &packet)
            guard case .broken(let reason) = result else { return nil }
            return reason
        }
    }

    @Test func readsTCP() throws {
        let builder = PacketBuilder.tcp(from: "198.51.100.1:40000", to: "203.0.113.80:80", [.syn, .ece], payload: [1])
        let packet = try #require(classify(builder.setting(\.padding, 9).setting(\.timeToLive, 3).frame()))
        #expect(packet.key == .between("198.51.100.1:40000", "203.0.113.80:80") && packet.isV4)
        #expect(packet.flags == [.syn, .ece] && packet.timeToLive == 3 && packet.doesNotFragment)
        #expect(packet.networkOffset == 14 && packet.transportOffset == 34 && packet.networkLength == 41)
        #expect(packet.transportLength == 21 && packet.hasTransport && !packet.hasOptions && !packet.isFragment)
    }

    @Test func readsIPv6WithExtensionHeaders() throws {
        var builder = PacketBuilder.udp(from: "[2001:db8::1]:5", to: "[2001:db8::2]:6", payload: [1, 2])
        builder.extensionHeaders = [(IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0])]
        let packet = try #require(classify(builder.frame(), isV4: false))
        #expect(packet.key == .between("[2001:db8::1]:5", "[2001:db8::2]:6", IPProtocol.udp) && !packet.isV4)
        #expect(packet.transportOffset == 14 + 48 && packet.networkLength == 58 && packet.hasTransport)
        builder.extensionHeaders = [(IPProtocol.hopByHop, [0, 0, 1, 4, 0, 0, 0, 0])]
        let other = try #require(classify(builder.frame(), isV4: false))
        #expect(other.transportProtocol == IPProtocol.udp && other.key.destinationPort == 6)
    }

    @Test func fragmentsAreKnown() throws {
        let payload = [UInt8](repeating: 1, count: 48)
        for builder in [
            PacketBuilder.udp(from: "10.0.0.1:5", to: "10.0.0.2:6", payload: payload),
            PacketBuilder.udp(from: "[2001:db8::1]:5", to: "[2001:db8::2]:6", payload: payload),
        ] {
            let packets = try builder.fragments(size: 24).map { try #require(classify($0, isV4: !builder.isV6)) }
            #expect(packets.map(\.fragmentOffset) == [0, 24, 48] && packets.allSatisfy(\.isFragment))
            #expect(
                packets.map(\.key.destinationPort) == [6, 0, 0] && packets.map(\.hasTransport) == [true, false, false])
            #expect(packets.allSatisfy { ($0.fragmentHeaderOffset != 0) == builder.isV6 })
        }
    }

    @Test func cutTransportHeadersAreNoted() throws {
        for (number, needed) in [
            (IPProtocol.tcp, 20), (IPProtocol.udp, 8), (IPProtocol.sctp, 12), (IPProtocol.icmp, 8),
        ] {
            for length in [0, 3, needed - 1, needed] {
                let builder = PacketBuilder(
                    from: "10.0.0.1", to: "10.0.0.2", .other(number), payload: [UInt8](repeating: 9, count: length))
                // Padding is no header.
                let packet = try #require(classify(builder.setting(\.padding, 30).frame()))
                #expect(packet.hasTransport == (length >= needed), "protocol \(number), \(length) bytes")
            }
        }
    }

    @Test func brokenPacketsAreToldApart() {
        let builder = PacketBuilder.udp(from: "10.0.0.1:5", to: "10.0.0.2:6", payload: [1, 2, 3])
        #expect(reason(builder.setting(\.headerChecksum, .wrong).frame()) == .badHeaderChecksum)
        let frame = builder.frame()
        for length in 14..<frame.count { #expect(reason(Array(frame.prefix(length))) == .truncated) }
        let six = PacketBuilder.udp(from: "[2001:db8::1]:5", to: "[2001:db8::2]:6").frame()
        for length in 14..<six.count { #expect(reason(Array(six.prefix(length)), isV4: false) == .truncated) }
        var mapped = six
        mapped.replaceSubrange(22..<38, with: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1])
        #expect(reason(mapped, isV4: false) == .martianSource)
    }

    @Test func arbitraryBytesDoNotTrap() {
        var random = SeededRandom(seed: 35)
        for _ in 0..<5000 {
            var bytes = random.bytes(14 + Int.random(in: 0...90, using: &random))
            if bytes.count > 14 { bytes[14] = random.next() & 1 == 0 ? 0x45 : 0x60 }
            for isV4 in [true, false] {
                guard let packet = classify(bytes, isV4: isV4) else { continue }
                #expect(packet.networkOffset + packet.networkLength <= bytes.count)
            }
        }
    }
}
