import Testing
import Wire

@Suite struct IPProtocolTests {
    /// The numbers of IANA's registry.
    @Test func numbers() {
        #expect(IPProtocol.hopByHop == 0 && IPProtocol.icmp == 1 && IPProtocol.ipip == 4 && IPProtocol.tcp == 6)
        #expect(IPProtocol.udp == 17 && IPProtocol.ipv6 == 41 && IPProtocol.routing == 43)
        #expect(IPProtocol.fragment == 44 && IPProtocol.gre == 47 && IPProtocol.authentication == 51)
        #expect(IPProtocol.icmpv6 == 58 && IPProtocol.none == 59 && IPProtocol.destinationOptions == 60)
        #expect(IPProtocol.sctp == 132)
    }
}
