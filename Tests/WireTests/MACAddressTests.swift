import TestSupport
import Testing
import Wire

@Suite struct MACAddressTests {
    @Test func textAndBitsAndBytesAgree() throws {
        let address = try #require(MACAddress("02:00:00:00:01:fe"))
        #expect(address == MACAddress(bits: 0x0200_0000_01fe))
        #expect(address.description == "02:00:00:00:01:fe")
        let written = HeapPacket.changing([9, 9, 9, 9, 9, 9, 9, 9]) { address.write(to: $0, at: 1) }
        #expect(written == [9, 2, 0, 0, 0, 1, 0xfe, 9])
        HeapPacket.with(written) { #expect(MACAddress($0, at: 1) == address) }
    }

    @Test(arguments: [
        "", "02:00:00:00:01", "02:00:00:00:01:fe:00", "2:0:0:0:1:fe", "02-00-00-00-01-fe", "02:00:00:00:01:fg",
        "+2:00:00:00:01:fe", "-0:00:00:00:01:fe", "02:00:00:00:01: e", "02:00:00:00::01:fe",
    ])
    func oddTextIsRejected(text: String) { #expect(MACAddress(text) == nil) }

    @Test func capitalsAreRead() { #expect(MACAddress("AA:BB:CC:DD:EE:FF")?.description == "aa:bb:cc:dd:ee:ff") }

    @Test func bitsBeyond48AreDropped() { #expect(MACAddress(bits: .max) == MACAddress.broadcast) }

    @Test func groupBitIsTheLowestOfTheFirstByte() {
        #expect(MACAddress.broadcast.isGroup)
        #expect(MACAddress(bits: 0x0100_5e00_0001).isGroup)
        #expect(!MACAddress(bits: 0x0200_0000_0001).isGroup)
        #expect(!MACAddress.zero.isGroup)
    }
}
