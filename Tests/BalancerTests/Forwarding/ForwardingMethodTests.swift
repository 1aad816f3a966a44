import Testing

@testable import Balancer

@Suite struct ForwardingMethodTests {
    /// The kernel's numbers (`IP_VS_CONN_F_*`) and ipvsadm's names.
    @Test func numbersAndNamesAreTheKernels() {
        #expect(ForwardingMethod.masquerading.rawValue == 0 && ForwardingMethod.masquerading.listedName == "Masq")
        #expect(ForwardingMethod.localNode.rawValue == 1 && ForwardingMethod.localNode.listedName == "Local")
        #expect(ForwardingMethod.tunneling.rawValue == 2 && ForwardingMethod.tunneling.listedName == "Tunnel")
        #expect(ForwardingMethod.directRouting.rawValue == 3 && ForwardingMethod.directRouting.listedName == "Route")
    }
}
