import Testing
import Wire

@Suite struct NetworkOrderTests {
    @Test func memoryIsInNetworkOrder() {
        let port = NetworkOrder<UInt16>(0x1234)
        #expect(withUnsafeBytes(of: port) { [UInt8]($0) } == [0x12, 0x34])
        #expect(port.value == 0x1234)
    }

    @Test func equalNumbersAreEqual() {
        #expect(NetworkOrder<UInt32>(80) == NetworkOrder<UInt32>(80))
        #expect(NetworkOrder<UInt32>(80) != NetworkOrder<UInt32>(81))
    }
}
