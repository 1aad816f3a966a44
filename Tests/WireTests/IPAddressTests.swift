import TestSupport
import Testing
import Wire

@Suite struct IPAddressTests {
    @Test func familiesAreToldApart() throws {
        let v4 = IPAddress(v4: 0x0a00_0201)
        #expect(v4.isV4 && v4.family == .v4 && v4.family.bits == 32 && v4.v4 == 0x0a00_0201)
        let v6 = try #require(IPAddress("2001:db8::1"))
        #expect(!v6.isV4 && v6.family == .v6 && v6.family.bits == 128)
        #expect(v6.high == 0x2001_0db8_0000_0000 && v6.low == 1)
    }

    @Test func wordsOnTheWire() throws {
        let v6 = try #require(IPAddress("2001:db8:1:2:3:4:5:6"))
        let bytes = HeapPacket.changing([UInt8](repeating: 0xee, count: 22)) { bytes in
            IPAddress(v4: 0xc000_0201).write(to: bytes, at: 1)
            v6.write(to: bytes, at: 5)
        }
        #expect(bytes == hexadecimal("ee c0000201 20010db8 00010002 00030004 00050006 ee"))
        HeapPacket.with(bytes) { bytes in
            #expect(IPAddress(v4: bytes, at: 1) == IPAddress(v4: 0xc000_0201))
            #expect(IPAddress(v6: bytes, at: 5) == v6)
        }
    }

    @Test(arguments: [
        ("0.0.0.0", true, false, false, false), ("::", true, false, false, false),
        ("127.0.0.1", false, true, false, false), ("127.255.0.1", false, true, false, false),
        ("::1", false, true, false, false), ("128.0.0.1", false, false, false, false),
        ("224.0.0.1", false, false, true, false), ("239.255.255.255", false, false, true, false),
        ("240.0.0.1", false, false, false, false), ("ff02::1", false, false, true, false),
        ("fe80::1", false, false, false, true), ("febf::1", false, false, false, true),
        ("fec0::1", false, false, false, false), ("2001:db8::1", false, false, false, false),
    ])
    func kinds(_ row: (String, Bool, Bool, Bool, Bool)) throws {
        let address = try #require(IPAddress(row.0))
        #expect(address.isUnspecified == row.1)
        #expect(address.isLoopback == row.2)
        #expect(address.isMulticast == row.3)
        #expect(address.isLinkLocalV6 == row.4)
    }

    @Test(arguments: [
        ("203.0.113.80", 32, "203.0.113.80"), ("203.0.113.80", 24, "203.0.113.0"), ("203.0.113.80", 0, "0.0.0.0"),
        ("203.0.113.80", 1, "128.0.0.0"), ("203.0.113.80", 99, "203.0.113.80"), ("203.0.113.80", -1, "0.0.0.0"),
        ("2001:db8::ffff:1", 128, "2001:db8::ffff:1"), ("2001:db8::ffff:1", 112, "2001:db8::ffff:0"),
        ("2001:db8::ffff:1", 64, "2001:db8::"), ("2001:db8:1:2::1", 65, "2001:db8:1:2::"),
        ("2001:db8::1", 16, "2001::"), ("2001:db8::1", 0, "::"), ("2001:db8::1", 200, "2001:db8::1"),
    ])
    func masks(_ row: (String, Int, String)) throws {
        #expect(try #require(IPAddress(row.0)).masked(row.1).description == row.2)
    }

    @Test func foldedIsTheXorOfTheWords() throws {
        #expect(IPAddress(v4: 0x0102_0304).folded == 0x0102_0304)
        let v6 = try #require(IPAddress("0001:0002:0030:0040:0500:0600:7000:8000"))
        #expect(v6.folded == 0x0001_0002 ^ 0x0030_0040 ^ 0x0500_0600 ^ 0x7000_8000)
    }

    @Test func orderIsByFamilyThenNumber() {
        let sorted = ["10.0.0.1", "203.0.113.1", "::", "::1", "2001:db8::1", "ffff::"].compactMap { IPAddress($0) }
        #expect(sorted.count == 6)
        #expect(sorted.reversed().sorted() == sorted)
        #expect(IPAddress(v4: 1) != IPAddress(v4: 2) && IPAddress.anyV4 != IPAddress.anyV6)
    }
}
