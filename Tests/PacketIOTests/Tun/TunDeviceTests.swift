import Testing

@testable import PacketIO

@Suite struct TunDeviceTests {
    @Test(arguments: ["", "a-name-of-sixteen", "a/b", "a b"]) func aBadNameIsRefused(name: String) {
        #expect(throws: TunError.badName(name)) { _ = try TunDevice(name: name) }
    }
}
