import Decapsulation
import TestSupport
import Testing
import Wire

/// Packets of tunnels by literals: 198.18.1.10:40000 > 198.18.10.80:53, UDP "ping" inside.
@Suite struct InnerPacketTests {
    private static let inner = hexadecimal(
        """
        4500 0020 0001 4000 3f11 a06d c612 010a c612 0a50
        9c40 0035 000c 4d0b 7069 6e67
        """)
    private static let inner6 = hexadecimal(
        """
        6000 0000 000c 113f 2001 0db8 0001 0000 0000 0000 0000 000a
        2001 0db8 0010 0000 0000 0000 0000 0080
        9c40 0035 000c 9d1e 7069 6e67
        """)

    private func read(
        _ payload: [UInt8], _ carrier: Carrier, trafficClass: UInt8 = 0
    ) throws -> InnerPacket {
        try HeapPacket.with(payload) { try InnerPacket($0, carrier: carrier, trafficClass: trafficClass) }
    }

    private func refusal(_ payload: [UInt8], _ carrier: Carrier, trafficClass: UInt8 = 0) -> Refusal? {
        do {
            _ = try read(payload, carrier, trafficClass: trafficClass)
            return nil
        } catch {
            return error as? Refusal
        }
    }

    // MARK: What is right

    @Test func protocols4And41() throws {
        #expect(try read(Self.inner, .ipv4) == packet(0, 32))
        #expect(try read(Self.inner6, .ipv6) == packet(0, 52))
    }

    @Test func greWithAndWithoutChecksum() throws {
        #expect(try read(hexadecimal("0000 0800") + Self.inner, .gre) == packet(4, 32))
        #expect(try read(hexadecimal("0000 86dd") + Self.inner6, .gre) == packet(4, 52))
        var checked = hexadecimal("8000 0800 0000 0000") + Self.inner
        let sum = ReferenceChecksum.internet(checked)
        checked[4] = UInt8(sum >> 8)
        checked[5] = UInt8(sum & 0xff)
        #expect(try read(checked, .gre) == packet(8, 32))
        checked[30] ^= 1
        #expect(refusal(checked, .gre) == .checksum)
    }

    @Test func gueWithAndWithoutRemoteChecksum() throws {
        #expect(try read(hexadecimal("0004 0000") + Self.inner, .gue) == packet(4, 32))
        #expect(try read(hexadecimal("0029 0000") + Self.inner6, .gue) == packet(4, 52))
        var remote = packet(12, 32)
        remote.partialChecksum = .init(start: 20, field: 26)
        #expect(try read(hexadecimal("0204 0001 8000 0000 0014 001a") + Self.inner, .gue) == remote)
    }

    @Test func whatFollowsThePacketIsCut() throws {
        #expect(try read(Self.inner + [1, 2, 3], .ipv4) == packet(0, 32))
        #expect(try read(Self.inner6 + [1, 2, 3], .ipv6) == packet(0, 52))
    }

    /// The fields hold the pseudo-headers' sums.
    @Test func aPartialChecksumIsSeen() throws {
        var v4 = Self.inner
        put(ReferenceChecksum.sum(pseudo(v4, 12..<20, 12)), &v4, 26)
        #expect(try read(v4, .ipv4).partialChecksum == .init(start: 20, field: 26))
        var v6 = Self.inner6
        put(ReferenceChecksum.sum(pseudo(v6, 8..<40, 12)), &v6, 46)
        #expect(try read(v6, .ipv6).partialChecksum == .init(start: 40, field: 46))
        // A fragment has no device that would complete it.
        v4[6] = 0x20
        #expect(try read(v4, .ipv4).partialChecksum == nil)
    }

    @Test func nothingIsChanged() throws {
        for (carrier, payload) in [(Carrier.ipv4, Self.inner), (.ipv6, Self.inner6)] {
            let after = try HeapPacket.changing(payload) {
                _ = try InnerPacket($0, carrier: carrier, trafficClass: 0)
            }
            #expect(after == payload)
        }
    }

    // MARK: Congestion

    @Test func aMarkOfTheOuterHeaderIsBroughtInside() throws {
        var capable = Self.inner
        capable[1] = 0x2a
        put(0xa043, &capable, 10)
        let marked = try HeapPacket.changing(capable) {
            _ = try InnerPacket($0, carrier: .ipv4, trafficClass: 0x03)
        }
        #expect(marked[1] == 0x2b && marked[10...11] == [0xa0, 0x42])
        var capable6 = Self.inner6
        capable6[1] = 0x10
        let marked6 = try HeapPacket.changing(capable6) {
            _ = try InnerPacket($0, carrier: .ipv6, trafficClass: 0x03)
        }
        #expect(marked6[1] == 0x30)
        #expect(refusal(Self.inner, .ipv4, trafficClass: 0x03) == .congestion)
        #expect(refusal(Self.inner6, .ipv6, trafficClass: 0xff) == .congestion)
        #expect(refusal(Self.inner, .ipv4, trafficClass: 0xfe) == nil)
    }

    // MARK: What is wrong

    @Test(arguments: [
        (Carrier.ipv4, "", Refusal.truncated), (.ipv6, "", .truncated), (.gre, "0000", .truncated),
        (.gue, "0004 00", .truncated), (.gue, "0104 0000", .truncated), (.gre, "8000 0800 0000", .truncated),
        (.gre, "0001 0800 45", .header), (.gre, "2000 0800 0000 0001 45", .header), (.gre, "4000 0800 45", .header),
        (.gre, "0000 6558 45", .contents), (.gue, "0006 0000 45", .contents), (.gue, "2004 0000 45", .header),
        (.gue, "4004 0000 45", .header), (.gue, "0104 0000 0000 0000 45", .header),
        (.gue, "0204 0001 4000 0000 0014 001a 45", .header), (.gue, "0004 0002 45", .header),
    ])
    func brokenHeaders(carrier: Carrier, payload: String, expected: Refusal) {
        #expect(refusal(hexadecimal(payload), carrier) == expected)
    }

    @Test func theVersionInsideMustBeTheOneThatIsNamed() {
        #expect(refusal(Self.inner6, .ipv4) == .version)
        #expect(refusal(Self.inner, .ipv6) == .version)
        #expect(refusal(hexadecimal("0000 86dd") + Self.inner, .gre) == .version)
        #expect(refusal(hexadecimal("0004 0000") + Self.inner6, .gue) == .version)
    }

    @Test func everyCutIsSeen() {
        for length in 0..<Self.inner.count {
            #expect(refusal(Array(Self.inner.prefix(length)), .ipv4) == .truncated, "\(length)")
        }
        for length in 0..<Self.inner6.count {
            #expect(refusal(Array(Self.inner6.prefix(length)), .ipv6) == .truncated, "\(length)")
        }
        // A remote checksum beyond the packet, or before where its sum starts.
        for place in ["0014 001f", "001b 001a"] {
            let payload = hexadecimal("0204 0001 8000 0000" + place) + Self.inner
            #expect(refusal(payload, .gue) == .truncated)
        }
    }

    // MARK: Parts

    private func packet(_ offset: Int, _ length: Int) -> InnerPacket {
        var payload = hexadecimal("4500 0014 0000 0000 4001 0000 0000 0000 0000 0000")
        payload += [UInt8](repeating: 0, count: 4)
        guard var packet = try? read(payload, .ipv4) else { preconditionFailure("an empty packet is refused") }
        packet.offset = offset
        packet.length = length
        return packet
    }

    private func pseudo(_ packet: [UInt8], _ addresses: Range<Int>, _ length: UInt8) -> [UInt8] {
        packet[addresses] + [0, 17, 0, length]
    }

    private func put(_ value: UInt16, _ packet: inout [UInt8], _ offset: Int) {
        packet[offset] = UInt8(value >> 8)
        packet[offset + 1] = UInt8(value & 0xff)
    }
}
