import Balancer
import Testing
import Wire

@Suite struct AddressPrefixTests {
    @Test(arguments: [
        ("10.100.0.1/16", "10.100.0.0/16"), ("0.0.0.0/0", "0.0.0.0/0"), ("192.0.2.7/32", "192.0.2.7/32"),
        ("2001:db8:1::5/48", "2001:db8:1::/48"), ("::/0", "::/0"), ("::1/128", "::1/128"),
    ])
    func textKeepsOnlyWhatCounts(text: String, normal: String) throws {
        #expect(try #require(AddressPrefix(text)).description == normal)
    }

    @Test(arguments: ["", "10.0.0.0", "10.0.0.0/", "/8", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0/8", "::/129", "a/8"])
    func anythingElseIsNone(text: String) {
        #expect(AddressPrefix(text) == nil)
    }

    @Test func containsItsOwnFamilyOnly() throws {
        let four = try #require(AddressPrefix("10.100.0.0/16"))
        let all = try #require(AddressPrefix("0.0.0.0/0"))
        let six = try #require(AddressPrefix("2001:db8::/32"))
        #expect(four.contains(try #require(IPAddress("10.100.255.255"))))
        #expect(!four.contains(try #require(IPAddress("10.101.0.0"))))
        #expect(all.contains(try #require(IPAddress("255.255.255.255"))))
        #expect(!all.contains(try #require(IPAddress("::"))))
        #expect(six.contains(try #require(IPAddress("2001:db8:ffff::1"))))
        #expect(!six.contains(try #require(IPAddress("2001:db9::"))))
        #expect(!six.contains(try #require(IPAddress("10.100.0.1"))))
    }
}
