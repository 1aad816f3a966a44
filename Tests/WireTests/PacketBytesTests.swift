import TestSupport
import Testing
import Wire

@Suite struct PacketBytesTests {
    @Test func loadsConvertFromNetworkOrder() {
        HeapPacket.with([0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09]) { bytes in
            #expect(bytes.count == 9)
            #expect(bytes[2] == 3)
            #expect(bytes.load(1, as: UInt16.self) == 0x0203)
            #expect(bytes.load(1, as: UInt32.self) == 0x0203_0405)
            #expect(bytes.load(1, as: UInt64.self) == 0x0203_0405_0607_0809)
            let inferred: UInt16 = bytes.load(0)
            #expect(inferred == 0x0102)
        }
    }

    @Test func storesConvertToNetworkOrder() {
        let changed = HeapPacket.changing([0, 0, 0, 0, 0, 0, 0]) { bytes in
            bytes.store(0x0102 as UInt16, 1)
            bytes.store(0x0304_0506 as UInt32, 3)
            bytes[0] = 9
        }
        #expect(changed == [9, 1, 2, 3, 4, 5, 6])
    }

    @Test func rawLoadsAndStoresDoNotSwap() {
        let changed = HeapPacket.changing([0xab, 0xcd, 0, 0]) { bytes in
            let raw: UInt16 = bytes.loadRaw(0)
            #expect(raw == bytes.loadRaw(0, as: UInt16.self))
            #expect(raw.bigEndian == 0xabcd)
            bytes.storeRaw(raw, 2)
        }
        #expect(changed == [0xab, 0xcd, 0xab, 0xcd])
    }

    @Test func windowsShareTheirBytes() {
        let changed = HeapPacket.changing([1, 2, 3, 4, 5]) { bytes in
            #expect(bytes.prefix(2).array() == [1, 2])
            #expect(bytes.prefix(99).count == 5)
            #expect(bytes.dropping(5).count == 0)
            bytes.dropping(2).prefix(2)[1] = 9
        }
        #expect(changed == [1, 2, 3, 9, 5])
    }

    @Test func copiesMayOverlap() {
        let changed = HeapPacket.changing([1, 2, 3, 4, 5]) { bytes in
            bytes.copy(from: bytes.prefix(3), to: 2)
        }
        #expect(changed == [1, 2, 1, 2, 3])
    }

    @Test func zeroClearsNoMoreThanAsked() {
        #expect(HeapPacket.changing([1, 2, 3, 4]) { $0.zero(1, 2) } == [1, 0, 0, 4])
        #expect(HeapPacket.changing([1, 2, 3, 4]) { $0.zero(4, 0) } == [1, 2, 3, 4])
    }

    @Test func wholeBuffersAreWindowsToo() {
        var array: [UInt8] = [1, 2, 3]
        array.withUnsafeMutableBytes { buffer in PacketBytes(buffer)[1] = 7 }
        #expect(array == [1, 7, 3])
    }
}
