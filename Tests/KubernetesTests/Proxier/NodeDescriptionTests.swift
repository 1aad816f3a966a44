import Kubernetes
import Testing

@Suite struct NodeDescriptionTests {
    /// Every namespace has a loopback interface; where it is down, it may have no address.
    @Test func addressesAreThoseOfTheInterfaces() {
        let addresses = NodeDescription.hostAddresses(without: "")
        #expect(Set(addresses).count == addresses.count)
        #expect(addresses.allSatisfy { !$0.isUnspecified })
        #expect(addresses.isEmpty || addresses.contains { $0.isLoopback })
        #expect(!NodeDescription.hostAddresses(without: "lo").contains { $0.isLoopback })
    }
}
