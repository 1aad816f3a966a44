import TestSupport
import Testing
import Wire

@Suite struct IPv6Tests {
    @Test func kernelPacketIsRead() throws {
        try HeapPacket.with(KernelFrames.portUnreachableV6.packet) { bytes in
            let header = try #require(IPv6Header(bytes))
            #expect(header.trafficClass == 0 && header.flowLabel == 0x51fe)
            #expect(header.payloadLength == 68 && header.totalLength == 108 && header.payload.count == 68)
            #expect(header.nextHeader == IPProtocol.icmpv6 && header.hopLimit == 64)
            #expect(header.source.description == "2001:db8:80::80")
            #expect(header.destination.description == "2001:db8:ffff::1")
            #expect(!header.carriesMappedAddress)
        }
    }

    @Test func natOfAKernelPacketComesOutAsTheKernels() throws {
        // no-server6 quotes the SYN that nat6 forwards, to another VIP.
        let request = Array(KernelFrames.portUnreachableV6.packet.dropFirst(48))
        let rewritten = try HeapPacket.changing(request) { bytes in
            let header = try #require(IPv6Header(bytes))
            let difference = header.setDestination(try #require(IPAddress("2001:db8:2::13")))
            header.hopLimit = 64
            header.decrementHopLimit()
            TransportChecksum.adjust(
                header.payload, at: TCPHeader.checksumOffset, state: .complete, addresses: difference, fields: 0)
        }
        #expect(rewritten == KernelFrames.tcpForwardedV6.packet)
    }

    @Test func headerIsWritten() throws {
        let (source, destination) = try (#require(IPAddress("2001:db8::1")), #require(IPAddress("2001:db8::2")))
        let written = HeapPacket.changing([UInt8](repeating: 0xee, count: 40)) { bytes in
            IPv6Header(unchecked: bytes).emit(
                trafficClass: 0xab, flowLabel: 0xfff1_2345, payloadLength: 0x1234, nextHeader: 17, hopLimit: 9,
                source: source, destination: destination)
        }
        #expect(
            written
                == hexadecimal(
                    "6ab12345 1234 11 09 20010db8000000000000000000000001 20010db8000000000000000000000002"))
    }

    @Test func settersTouchTheirFieldOnly() {
        var random = SeededRandom(seed: 8200)
        for _ in 0..<1_000 {
            let packet = random.bytes(40)
            let (value, label) = (UInt8(random.next() >> 56), UInt32(random.next() >> 32))
            let changed = HeapPacket.changing(packet) { bytes in
                let header = IPv6Header(unchecked: bytes)
                let (version, flow) = (bytes[0] >> 4, header.flowLabel)
                header.trafficClass = value
                #expect(header.trafficClass == value && header.flowLabel == flow && bytes[0] >> 4 == version)
                header.flowLabel = label
                #expect(header.flowLabel == label & 0xf_ffff && header.trafficClass == value)
                #expect(bytes[0] >> 4 == version)
                header.nextHeader = value
                header.payloadLength = 77
                header.hopLimit = 5
                header.setSource(IPAddress(high: 1, low: 2))
                header.setDestination(IPAddress(high: 3, low: 4))
            }
            #expect(changed[4...7] == [0, 77, value, 5])
            #expect(Array(changed[8...]) == [1, 2, 3, 4].flatMap { UInt64($0).networkBytes })
        }
    }

    @Test func mappedAddressesAreSeen() throws {
        var packet = KernelFrames.tcpForwardedV6.packet
        packet.replaceSubrange(8..<24, with: hexadecimal("00000000000000000000ffff 0a000001"))
        try HeapPacket.with(packet) { bytes in
            let header = try #require(IPv6Header(bytes))
            #expect(header.carriesMappedAddress)
            // Writing one keeps all sixteen bytes and their difference.
            let difference = header.setSource(IPAddress(v4: 0x0a00_0002))
            #expect(bytes.prefix(24).array().suffix(6) == [0xff, 0xff, 10, 0, 0, 2])
            #expect(Checksum.fold(difference) == Checksum.fold(Checksum.difference(from: 1 as UInt16, to: 2)))
        }
    }

    @Test(arguments: [("a byte short", 0, 0x60, 39), ("version 4", 0, 0x40, 60), ("payload too long", 5, 21, 60)])
    func impossibleLengthsAreRefused(_ row: (String, Int, UInt8, Int)) {
        var packet = KernelFrames.tcpForwardedV6.packet
        packet[row.1] = row.2
        HeapPacket.with(Array(packet.prefix(row.3))) { #expect(IPv6Header($0) == nil, "\(row.0)") }
    }

    @Test func paddingIsNotPayload() {
        HeapPacket.with(KernelFrames.tcpForwardedV6.packet + [0, 0, 0]) { bytes in
            #expect(IPv6Header(bytes)?.payload.count == 20)
        }
    }

    @Test func quotedPacketsMayBeCutOff() {
        let packet = KernelFrames.tcpForwardedV6.packet
        HeapPacket.with(Array(packet.prefix(48))) { bytes in
            #expect(IPv6Header(bytes) == nil)
            #expect(IPv6Header(quoted: bytes)?.payload.count == 8)
        }
        HeapPacket.with(Array(packet.prefix(39))) { #expect(IPv6Header(quoted: $0) == nil) }
        HeapPacket.with([0x45] + packet.dropFirst()) { #expect(IPv6Header(quoted: $0) == nil) }
    }
}
