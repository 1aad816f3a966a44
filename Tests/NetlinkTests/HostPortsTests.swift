import Testing

@testable import Netlink

@Suite struct HostPortsTests {
    @Test(
        arguments: [
            ("32768\t60999\n", "\n", [32768...60999]), ("1024 65535", "61000-65535", [1024...60999]),
            ("1024 65535", "8080,9148-9150", [1024...8079, 8081...9147, 9151...65535]), ("1024 2000", "1-65535", []),
            ("", "", []), ("2000 1024", "", []), ("1024 2000", "x,1-,3000-2000", [1024...2000]),
        ] as [(String, String, [ClosedRange<UInt16>])])
    func rangesAreWhatIsNotReserved(range: String, reserved: String, left: [ClosedRange<UInt16>]) {
        #expect(HostPorts.ranges(range: range, reserved: reserved) == left)
    }

    @Test func theHostsAreRead() { #expect(!HostPorts.automatic.isEmpty) }
}
