import Testing
import Wire

@testable import Netlink

@Suite struct MessageWriterTests {
    private func bytes(_ writer: MessageWriter) -> [UInt8] { [UInt8](writer.bytes) }

    @Test func aMessageByteForByte() {
        let writer = MessageWriter(sequence: 6)
        writer.message(0x1234, flags: 0x400, header: UInt32(5)) {
            writer.put(1, "ab")
            writer.nest(2) { writer.putBE(3, 0x0102_0304) }
        }
        #expect(
            bytes(writer) == [
                40, 0, 0, 0, 0x34, 0x12, 0x01, 0x04, 7, 0, 0, 0, 0, 0, 0, 0,  // nlmsghdr
                5, 0, 0, 0,  // the family's structure
                7, 0, 1, 0, 0x61, 0x62, 0, 0,  // a text and its zero, padded
                12, 0, 2, 0x80, 8, 0, 3, 0, 1, 2, 3, 4,  // a nest
            ])
    }

    /// Whatever lay in the buffer before.
    @Test func paddingIsZero() {
        for length in 1...7 {
            let writer = MessageWriter(sequence: 0)
            writer.message(1, flags: 0, header: UInt32(0)) { writer.put(1, [UInt8](repeating: 0xff, count: length)) }
            #expect(bytes(writer).dropFirst(24 + length).allSatisfy { $0 == 0 })
        }
    }

    @Test func growsBetweenMessages() {
        let writer = MessageWriter(sequence: 0)
        let payload = [UInt8](repeating: 7, count: 30_000)
        for _ in 0..<40 { writer.message(1, flags: 0, header: UInt32(0)) { writer.put(1, payload) } }
        #expect(writer.sequence == 40)
        let all = bytes(writer)
        #expect(all.count == 40 * (16 + 4 + 4 + 30_000))
        #expect(all.suffix(30_000).allSatisfy { $0 == 7 })
    }

    @Test(arguments: ["203.0.113.80", "2001:db8:80::80", "0.0.0.0", "::"]) func addressesKeepTheirBytes(text: String)
        throws
    {
        let address = try #require(IPAddress(text))
        #expect(address.bytes.count == (address.isV4 ? 4 : 16))
        #expect(IPAddress(bytes: address.bytes) == address)
        #expect(IPAddress(bytes: address.bytes.dropLast()) == nil)
    }
}
