import TestSupport
import Testing
import Wire

@Suite struct IPAddressTextTests {
    @Test(arguments: [
        ("10.0.2.1", "10.0.2.1"), ("255.255.255.255", "255.255.255.255"), ("1.2.3.04", "1.2.3.4"),
        ("010.0.0.1", "10.0.0.1"), ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8::1", "2001:db8::1"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"), ("0:0:0:0:0:0:0:0", "::"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("1:0:0:2:0:0:3:4", "1::2:0:0:3:4"), ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ("1::2:3:4:5:6:7", "1:0:2:3:4:5:6:7"), ("0001:0000::", "1::"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("::1.2.3.4", "::102:304"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::ffff:c000:201", "192.0.2.1"),
    ])
    func isReadAndWrittenInItsUsualForm(_ row: (String, String)) throws {
        let address = try #require(IPAddress(row.0))
        #expect(address.description == row.1)
        #expect(IPAddress(parsing: row.0[...]) == address)
    }

    @Test(arguments: [
        "", " ", "1.2.3", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.0004", "+1.2.3.4", "1.2.3.-0",
        "1.2.3.4 ", " 1.2.3.4", "1.2.3.x", "0x1.2.3.4", "16909060", "\u{0661}.2.3.4", "1.2.3.4:80", "1.2.3.4/32",
        ":", ":::", "1", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
        "1::2::3", "1:::2", "12345::", "g::", "+1::", "::-0", "::1%eth0", "[::1]", "::1.2.3", "::1.2.3.4:5",
        "1.2.3.4::",
        "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "::1.2.3.400", ":1.2.3.4", "2001:db8::1/64", "\u{0661}::",
    ])
    func oddTextIsRejected(text: String) { #expect(IPAddress(text) == nil) }

    @Test func randomAddressesComeBack() {
        var random = SeededRandom(seed: 0x1f_ad)
        for _ in 0..<5_000 {
            let address = random.address(random.pick([.v4, .v6]))
            #expect(IPAddress(address.description) == address)
            // Many zero words, where the gap is found.
            let mask = random.next() & random.next()
            let sparse = IPAddress(high: address.high & mask, low: address.low & mask & ~0xffff_ffff_0000 | 1 << 40)
            #expect(IPAddress(sparse.description) == sparse)
        }
    }
}
