import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct ICMPErrorTests {
    private func write(
        _ error: ICMPError, quoting packet: [UInt8], _ source: Endpoint, _ destination: Endpoint
    ) -> [UInt8] {
        let output = HeapPacket([UInt8](repeating: 0xcc, count: ICMPError.largest(isV4: destination.address.isV4)))
        return HeapPacket.with(packet) { quoted in
            let length = error.write(
                to: output.bytes, quoting: quoted, source: source.address, destination: destination.address,
                identification: 77)
            #expect(output.isIntactAround)
            return Array(output.array.prefix(length))
        }
    }

    /// BEHAVIOUR.md 2: TTL 64, ToS 0xc0, no DF, quoting as much as fits 576 bytes (IPv6: 1280).
    @Test(arguments: [0, 1, 100, 519, 520, 521, 1400]) func isAsTheKernelWritesIt(payload: Int) throws {
        let packet = PacketBuilder.udp(
            from: "198.51.100.1:5", to: "203.0.113.80:53", payload: [UInt8](repeating: 7, count: payload)
        ).packet()
        let error = write(.portUnreachable, quoting: packet, "203.0.113.80", "198.51.100.1")
        #expect(error.count == min(576, 28 + packet.count))
        let frame = [UInt8](repeating: 0, count: 12) + [8, 0] + error
        let problems = PacketCheck.problems(
            frame, .from("203.0.113.80"), .to("198.51.100.1"), .timeToLive(64), .typeOfService(0xc0),
            .doesNotFragment(false), .identification(77), .icmp(3, 3), .checksumsRight,
            .payload(Array(packet.prefix(548))))
        #expect(problems == [])
        #expect(try #require(PacketSummary(frame: frame)).icmpRest == 0)
    }

    @Test(arguments: [0, 1000, 1183, 1184, 1185, 1400]) func iPv6IsToo(payload: Int) {
        let packet = PacketBuilder.udp(
            from: "[2001:db8::1]:5", to: "[2001:db8:80::80]:53", payload: [UInt8](repeating: 7, count: payload)
        ).packet()
        let error = write(.portUnreachable, quoting: packet, "2001:db8:80::80", "2001:db8::1")
        #expect(error.count == min(1280, 48 + packet.count))
        let frame = [UInt8](repeating: 0, count: 12) + [0x86, 0xdd] + error
        let problems = PacketCheck.problems(
            frame, .from("2001:db8:80::80"), .to("2001:db8::1"), .timeToLive(64), .typeOfService(0), .icmp(1, 4),
            .checksumsRight, .payload(Array(packet.prefix(1232))))
        #expect(problems == [])
    }

    /// Type and code of both families.
    @Test func typesAndCodes() {
        let wanted: [(ICMPError, [UInt8], [UInt8], UInt32)] = [
            (.hostUnreachable, [3, 1], [1, 3], 0), (.portUnreachable, [3, 3], [1, 4], 0),
            (.protocolUnreachable, [3, 2], [4, 1], 0), (.timeExceeded, [11, 0], [3, 0], 0),
            (.reassemblyTimeExceeded, [11, 1], [3, 1], 0), (.tooBig(mtu: 1480), [3, 4], [2, 0], 1480),
        ]
        for (error, four, six, rest) in wanted {
            #expect([error.type, error.code] == four && [error.typeV6, error.codeV6] == six && error.rest == rest)
        }
        let redirect = ICMPError.redirect(IPAddress(v4: 0x0a00_02fe))
        #expect(redirect.type == 5 && redirect.code == 1 && redirect.rest == 0x0a00_02fe)
    }

    /// The ToS bits of the packet are kept below precedence "internetwork control".
    @Test func theQuotedTypeOfServiceShows() {
        let packet = PacketBuilder.udp(from: "198.51.100.1:5", to: "203.0.113.80:53").setting(\.typeOfService, 0x1b)
            .packet()
        #expect(write(.timeExceeded, quoting: packet, "203.0.113.80", "198.51.100.1")[1] == 0xda)
    }

    @Test func isNotSentAboutEverything() throws {
        func isAllowed(_ builder: PacketBuilder, fragment: Int? = nil) throws -> Bool {
            let frame = fragment.map { builder.fragments(size: 16)[$0] } ?? builder.frame()
            return try HeapPacket.with(frame) { bytes in
                ICMPError.isAllowed(about: try describe(bytes, isV4: !builder.isV6), bytes)
            }
        }
        let datagram = PacketBuilder.udp(
            from: "198.51.100.1:5", to: "203.0.113.80:53", payload: [UInt8](repeating: 0, count: 40))
        #expect(try isAllowed(datagram))
        #expect(try isAllowed(datagram, fragment: 0))
        #expect(try !isAllowed(datagram, fragment: 1))
        for source: Endpoint in ["0.0.0.0:5", "127.0.0.1:5", "224.0.0.1:5", "255.255.255.255:5"] {
            #expect(try !isAllowed(datagram.setting(\.source, source)))
        }
        for destination: Endpoint in ["224.0.0.9:5", "255.255.255.255:5"] {
            #expect(try !isAllowed(datagram.setting(\.destination, destination)))
        }
        let quote = datagram.packet()
        for (type, isFine) in [(UInt8(8), true), (0, true), (3, false), (5, false), (11, false), (12, false)] {
            let message = PacketBuilder.icmp(
                from: "198.51.100.1", to: "203.0.113.80", type: type, code: 0, payload: quote)
            #expect(try isAllowed(message) == isFine)
        }
        for (type, isFine) in [(UInt8(128), true), (135, true), (1, false), (2, false), (3, false)] {
            let message = PacketBuilder.icmp(
                from: "2001:db8::1", to: "2001:db8::2", type: type, code: 0, payload: [0, 0, 0, 0])
            #expect(try isAllowed(message) == isFine)
        }
    }
}
