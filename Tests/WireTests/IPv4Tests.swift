import TestSupport
import Testing
import Wire

@Suite struct IPv4Tests {
    @Test func kernelPacketIsRead() throws {
        try HeapPacket.with(KernelFrames.tcpForwarded.packet) { bytes in
            let header = try #require(IPv4Header(bytes))
            #expect(header.headerLength == 20 && header.totalLength == 40)
            #expect(header.typeOfService == 0 && header.identification == 0x1001)
            #expect(header.doesNotFragment && !header.isFragment && header.fragmentOffset == 0)
            #expect(header.timeToLive == 63 && header.transportProtocol == IPProtocol.tcp)
            #expect(header.source.description == "198.51.100.1")
            #expect(header.destination.description == "10.0.2.13")
            #expect(header.hasValidChecksum)
            #expect(header.header.count == 20 && header.payload.count == 20)
        }
    }

    @Test func natOfAKernelPacketComesOutAsTheKernels() throws {
        let rewritten = try HeapPacket.changing(KernelFrames.tcpRequest.packet) { bytes in
            let header = try #require(IPv4Header(bytes))
            header.decrementTimeToLive()
            let difference = header.setDestination(IPAddress(v4: 0x0a00_020d))
            TransportChecksum.adjust(
                header.payload, at: TCPHeader.checksumOffset, state: .complete, addresses: difference, fields: 0)
        }
        #expect(rewritten == KernelFrames.tcpForwarded.packet)
    }

    @Test func outerHeaderIsWrittenAsTheKernels() {
        let outer = HeapPacket.changing([UInt8](repeating: 0xee, count: 20)) { bytes in
            IPv4Header(unchecked: bytes).emit(
                typeOfService: 0, totalLength: 60, identification: 0, fragmentWord: IPv4Header.dontFragment,
                timeToLive: 63, transportProtocol: IPProtocol.ipip, source: IPAddress(v4: 0x0a00_0201),
                destination: IPAddress(v4: 0x0a00_090d))
        }
        #expect(outer == Array(KernelFrames.tunneled.packet.prefix(20)))
    }

    @Test func optionsAndPaddingAreNotPayload() throws {
        let packet = PacketBuilder.udp(from: "192.0.2.1:7", to: "192.0.2.2:9", payload: [1, 2, 3])
            .setting(\.options, [1, 1, 1, 0, 0x94, 4, 0, 0]).packet()
        try HeapPacket.with(packet + [0, 0, 0, 0]) { bytes in
            let header = try #require(IPv4Header(bytes))
            #expect(header.headerLength == 28 && header.totalLength == 39)
            #expect(header.header.array() == Array(packet[..<28]))
            #expect(header.payload.array() == Array(packet[28...]))
            #expect(header.hasValidChecksum)
        }
    }

    @Test func fragmentsAreToldApart() throws {
        let frames = PacketBuilder.udp(
            from: "192.0.2.1:7", to: "192.0.2.2:9", payload: [UInt8](repeating: 1, count: 40)
        )
        .fragments(size: 16)
        #expect(frames.count == 3)
        for (index, frame) in frames.enumerated() {
            try HeapPacket.with(frame.packet) { bytes in
                let header = try #require(IPv4Header(bytes))
                #expect(header.isFragment && !header.doesNotFragment)
                #expect(header.fragmentOffset == index * 16)
                #expect((header.fragmentWord & IPv4Header.moreFragments != 0) == (index < 2))
            }
        }
    }

    @Test(arguments: [
        ("a byte short", 0, 0x45, 19), ("version 6", 0, 0x65, 40), ("header of 16 bytes", 0, 0x44, 40),
        ("header beyond the total length", 3, 0x13, 40), ("header beyond the bytes", 0, 0x4f, 40),
        ("total length beyond the bytes", 3, 0x29, 40), ("total length beyond the bytes", 2, 0x01, 40),
    ])
    func impossibleLengthsAreRefused(_ row: (String, Int, UInt8, Int)) {
        var packet = KernelFrames.tcpForwarded.packet
        packet[row.1] = row.2
        HeapPacket.with(Array(packet.prefix(row.3))) { #expect(IPv4Header($0) == nil, "\(row.0)") }
    }

    @Test func quotedPacketsMayBeCutOff() throws {
        let packet = KernelFrames.tcpForwarded.packet
        try HeapPacket.with(Array(packet.prefix(28))) { bytes in
            #expect(IPv4Header(bytes) == nil)
            let header = try #require(IPv4Header(quoted: bytes))
            #expect(header.totalLength == 40 && header.payload.count == 8)
        }
        HeapPacket.with(Array(packet.prefix(19))) { #expect(IPv4Header(quoted: $0) == nil) }
        HeapPacket.with([0x4f] + packet.dropFirst().prefix(27)) { #expect(IPv4Header(quoted: $0) == nil) }
        HeapPacket.with([0x65] + packet.dropFirst()) { #expect(IPv4Header(quoted: $0) == nil) }
    }

    @Test func settersKeepTheChecksumRight() throws {
        var random = SeededRandom(seed: 791)
        for _ in 0..<2_000 {
            let packet = PacketBuilder(
                from: Endpoint(random.address(.v4)), to: Endpoint(random.address(.v4)), .other(200)
            )
            .setting(\.timeToLive, UInt8.random(in: 1...255, using: &random))
            .setting(\.options, random.bytes(random.pick([0, 4, 40])))
            let (length, identification, word) = (
                UInt16.random(in: 20...1500, using: &random), random.next(), random.next()
            )
            let (source, destination) = (random.address(.v4), random.address(.v4))
            try HeapPacket.with(packet.packet()) { bytes in
                let header = try #require(IPv4Header(bytes))
                header.decrementTimeToLive()
                #expect(header.timeToLive == packet.timeToLive - 1 && header.hasValidChecksum)
                header.setTotalLength(Int(length))
                #expect(header.totalLength == Int(length) && header.hasValidChecksum)
                header.setIdentification(UInt16(identification >> 48))
                #expect(header.identification == UInt16(identification >> 48) && header.hasValidChecksum)
                header.setFragmentWord(UInt16(word >> 48))
                #expect(header.fragmentWord == UInt16(word >> 48) && header.hasValidChecksum)
                header.setSource(source)
                #expect(header.source == source && header.hasValidChecksum)
                header.setDestination(destination)
                #expect(header.destination == destination && header.hasValidChecksum)
                #expect(ReferenceChecksum.internet(header.header.array()) == 0)
            }
        }
    }

    /// At once as one after the other, also where the checksum was wrong.
    @Test func forwardingIsTwoChangesAtOnce() throws {
        var random = SeededRandom(seed: 4711)
        for _ in 0..<5_000 {
            let packet = PacketBuilder.udp(
                from: Endpoint(random.address(.v4)),
                to: Endpoint(random.pick([random.address(.v4), IPAddress(v4: .max)]))
            )
            .setting(\.timeToLive, UInt8.random(in: 1...255, using: &random))
            .setting(\.headerChecksum, random.pick([.right, .right, .wrong, .zero]))
            .packet()
            let (address, isSource) = (random.address(.v4), Bool.random(using: &random))
            try HeapPacket.with(packet) { bytes in
                let header = try #require(IPv4Header(bytes))
                #expect(header.hasValidPlainChecksum == header.hasValidChecksum)
                let difference = header.forward(settingAddress: address.v4, isSource: isSource)
                try HeapPacket.with(packet) { other in
                    let stepwise = try #require(IPv4Header(other))
                    stepwise.decrementTimeToLive()
                    let expected = isSource ? stepwise.setSource(address) : stepwise.setDestination(address)
                    #expect(difference == expected && bytes.array() == other.array())
                }
            }
        }
    }

    /// Both addresses at once as one after the other, also where the checksum was wrong.
    @Test func forwardingIsThreeChangesAtOnce() throws {
        var random = SeededRandom(seed: 4712)
        for _ in 0..<5_000 {
            let packet = PacketBuilder.udp(
                from: Endpoint(random.address(.v4)),
                to: Endpoint(random.pick([random.address(.v4), IPAddress(v4: .max)]))
            )
            .setting(\.timeToLive, UInt8.random(in: 1...255, using: &random))
            .setting(\.headerChecksum, random.pick([.right, .right, .wrong, .zero]))
            .packet()
            let (source, destination) = (random.address(.v4), random.address(.v4))
            try HeapPacket.with(packet) { bytes in
                let header = try #require(IPv4Header(bytes))
                let difference = header.forward(settingAddresses: UInt64(source.v4) << 32 | UInt64(destination.v4))
                try HeapPacket.with(packet) { other in
                    let stepwise = try #require(IPv4Header(other))
                    stepwise.decrementTimeToLive()
                    let expected = Checksum.add(stepwise.setSource(source), stepwise.setDestination(destination))
                    #expect(Checksum.fold(difference) == Checksum.fold(expected))
                    #expect(bytes.array() == other.array())
                }
            }
        }
    }

    @Test func aWrongChecksumStaysWrong() throws {
        let packet = PacketBuilder.udp(from: "192.0.2.1:7", to: "192.0.2.2:9").setting(\.headerChecksum, .wrong)
            .packet()
        try HeapPacket.with(packet) { bytes in
            let header = try #require(IPv4Header(bytes))
            #expect(!header.hasValidChecksum)
            header.setSource(IPAddress(v4: 7))
            header.decrementTimeToLive()
            #expect(!header.hasValidChecksum)
            header.fillChecksum()
            #expect(header.hasValidChecksum)
        }
    }
}
