import Foundation
import TestSupport
import Testing
import Wire

/// The tools that the tests lean on, held against frames of the real kernel.
@Suite struct TestSupportTests {
    @Test func builderMakesWhatTheKernelSent() {
        let request = PacketBuilder.tcp(from: "198.51.100.1:40000", to: "203.0.113.80:80", .syn)
            .setting(\.identification, 0x1001)
        #expect(request.frame() == KernelFrames.tcpRequest)
        var forwarded = request.setting(\.destination, "10.0.2.13:80").setting(\.timeToLive, 63)
        forwarded.sourceMAC = MACAddress(bits: 0x0200_0000_0201)
        forwarded.destinationMAC = MACAddress(bits: 0x0200_0000_020d)
        #expect(forwarded.frame() == KernelFrames.tcpForwarded)
        let datagram = PacketBuilder.udp(
            from: "198.51.100.1:40000", to: "10.0.2.13:53", payload: Array("query0".utf8))
        #expect(
            datagram.setting(\.identification, 0x1001).setting(\.timeToLive, 63).packet()
                == KernelFrames.udpForwarded.packet)
        let association = PacketBuilder.sctp(
            from: "198.51.100.1:40000", to: "10.0.2.13:80", chunk: SCTPChunk.initiation,
            value: hexadecimal("000011110000ffff0001000100000001"))
        #expect(
            association.setting(\.identification, 0x1001).setting(\.timeToLive, 63).packet()
                == KernelFrames.sctpForwarded.packet)
        let error = PacketBuilder.icmp(
            from: "2001:db8:80::80", to: "2001:db8:ffff::1", type: 1, code: 4,
            payload: PacketBuilder.tcp(from: "[2001:db8:ffff::1]:40000", to: "[2001:db8:80::80]:80", .syn).packet())
        #expect(error.setting(\.flowLabel, 0x51fe).packet() == KernelFrames.portUnreachableV6.packet)
    }

    @Test func checksPassOnWhatTheKernelSent() {
        #expect(
            PacketCheck.problems(
                KernelFrames.tcpForwarded, .from("198.51.100.1:40000"), .to("10.0.2.13:80"), .timeToLive(63),
                .macs(from: MACAddress(bits: 0x0200_0000_0201), to: MACAddress(bits: 0x0200_0000_020d)),
                .transportProtocol(IPProtocol.tcp), .flags(.syn), .identification(0x1001), .doesNotFragment(true),
                .typeOfService(0), .packetLength(40), .payload([]), .checksumsRight) == [])
        #expect(
            PacketCheck.problems(
                KernelFrames.portUnreachable, .icmp(3, 3), .typeOfService(0xc0), .checksumsRight,
                .quoting(.to("203.0.113.80:80"), .checksumsRight)) == [])
        #expect(
            PacketCheck.problems(
                KernelFrames.portUnreachableV6, .icmp(1, 4), .checksumsRight, .quoting(.to("[2001:db8:80::80]:80")))
                == [])
        #expect(PacketCheck.problems(KernelFrames.tunneled, .inner(.timeToLive(63), .checksumsRight)) == [])
        #expect(PacketCheck.problems(KernelFrames.sctpForwarded, .checksumsRight, .to("10.0.2.13:80")) == [])
    }

    @Test func checksFailOnWhatIsWrong() {
        let packet = PacketBuilder.udp(from: "192.0.2.1:7", to: "192.0.2.2:9", payload: [1])
        let checks: [PacketCheck] = [
            .from("192.0.2.1:8"), .to("192.0.2.3:9"), .timeToLive(1), .typeOfService(1), .identification(9),
            .doesNotFragment(false), .transportProtocol(6), .packetLength(1), .flags(.syn), .icmp(3, 3), .payload([2]),
            .transportChecksum(.wrong), .macs(from: .zero, to: MACAddress(bits: 0x0200_0000_0101)),
            .quoting(.timeToLive(1)),
        ]
        for check in checks { #expect(PacketCheck.problems(packet.frame(), check).count == 1) }
        #expect(PacketCheck.problems(packet.frame(), .checksumsRight) == [])
        for damaged in [
            packet.setting(\.transportChecksum, .wrong), packet.setting(\.headerChecksum, .wrong),
            packet.setting(\.headerChecksum, .zero), packet.setting(\.transportChecksum, .partial),
            packet.setting(\.transportChecksum, .zero),
        ] { #expect(PacketCheck.problems(damaged.frame(), .checksumsRight).count == 1) }
        #expect(PacketCheck.problems([1, 2, 3], .checksumsRight).count == 1)
    }

    @Test func summariesTellPartialAndAbsentChecksums() throws {
        let packet = PacketBuilder.udp(from: "[2001:db8::1]:7", to: "[2001:db8::2]:9", payload: [1])
        let partial = try #require(PacketSummary(frame: packet.setting(\.transportChecksum, .partial).frame()))
        #expect(partial.transportChecksum == .partial)
        let absent = try #require(PacketSummary(frame: packet.setting(\.transportChecksum, .zero).frame()))
        #expect(absent.transportChecksum == .absent)
        let fragments = packet.setting(\.payload, [UInt8](repeating: 0, count: 20)).fragments(size: 16)
        let later = try #require(PacketSummary(frame: fragments[1]))
        #expect(later.isFragment && later.fragmentOffset == 16 && later.transportChecksum == .unknown)
    }

    @Test func seedsRepeat() {
        var (first, second, other) = (SeededRandom(seed: 1), SeededRandom(seed: 1), SeededRandom(seed: 2))
        let drawn = first.bytes(32)
        let (again, different) = (second.bytes(32), other.bytes(32))
        #expect(drawn == again && drawn != different)
        // The first number of SplitMix64 from seed 0, as its reference implementation gives it.
        var zero = SeededRandom(seed: 0)
        let number = zero.next()
        #expect(number == 0xe220_a839_7b1d_cdaf)
    }

    @Test func endpointsAreReadAndWritten() {
        #expect(Endpoint(parsing: "192.0.2.1:80")?.description == "192.0.2.1:80")
        #expect(Endpoint(parsing: "[2001:db8::1]:80")?.description == "[2001:db8::1]:80")
        #expect(Endpoint(parsing: "2001:db8::1")?.port == 0)
        #expect(
            Endpoint(parsing: "192.0.2.1:99999") == nil && Endpoint(parsing: "x:80") == nil
                && Endpoint(parsing: "") == nil)
    }

    /// One frame of three bytes at 5.000007 s, in each of the four forms.
    @Test(arguments: [
        (
            "d4c3b2a1 02000400 00000000 00000000 ffff0000 01000000", "05000000 07000000 03000000 03000000 010203"
        ),
        (
            "a1b2c3d4 00020004 00000000 00000000 0000ffff 00000001", "00000005 00000007 00000003 00000003 010203"
        ),
        (
            "4d3cb2a1 02000400 00000000 00000000 ffff0000 01000000", "05000000 581b0000 03000000 03000000 010203"
        ),
        (
            "a1b23c4d 00020004 00000000 00000000 0000ffff 00000001", "00000005 00001b58 00000003 00000003 010203"
        ),
    ])
    func capturesAreRead(_ row: (String, String)) throws {
        let (header, record) = (hexadecimal(row.0), hexadecimal(row.1))
        let capture = try CaptureFile(header + record + record)
        #expect(capture.linkType == 1)
        let wanted = CaptureFile.Record(seconds: 5, microseconds: 7, bytes: [1, 2, 3])
        #expect(capture.records == [wanted, wanted] && capture.frames == [[1, 2, 3], [1, 2, 3]])
        #expect(try CaptureFile(header).records.isEmpty)
        for end in header.count + 1..<header.count + record.count {
            #expect(throws: CaptureFile.Malformed.self) { try CaptureFile(Array((header + record).prefix(end))) }
        }
        #expect(throws: CaptureFile.Malformed.self) { try CaptureFile(Array(header.dropLast())) }
        #expect(throws: CaptureFile.Malformed.self) { try CaptureFile([1] + header.dropFirst()) }
    }

    @Test func recordingsAreRead() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("recording-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let order = """
            [{"n": 0, "t": 0.5, "op": "cmd", "cmd": "ipvsadm -C", "rc": 0, "stdout": "", "stderr": "x", "stdin": "in"},
            {"n": 1, "op": "comment", "text": "a remark"},
            {"n": 2, "t": 1.25, "op": "inject", "if": "eth0", "frame": 3, "out": [{"if": "eth1", "frame": 4}],
             "conns": ["c"], "dests": ["d"]},
            {"n": 3, "t": 2, "op": "sleep", "secs": 1.5, "out": []},
            {"n": 4, "t": 3, "op": "snap", "label": "end"}]
            """
        try Data(order.utf8).write(to: directory.appendingPathComponent("order.json"))
        let steps = try Recording(directory: directory).steps
        #expect(
            steps.map(\.action) == [
                .command("ipvsadm -C", input: "in", status: 0, output: "", error: "x"), .comment("a remark"),
                .inject(interface: "eth0", frame: 3), .sleep(1.5), .snapshot(label: "end"),
            ])
        #expect(steps.map(\.number) == [0, 1, 2, 3, 4] && steps.map(\.time) == [0.5, nil, 1.25, 2, 3])
        #expect(steps[2].outputs.map(\.frame) == [4] && steps[2].outputs.map(\.interface) == ["eth1"])
        #expect(steps[2].connections == ["c"] && steps[2].destinations == ["d"] && steps[3].connections == nil)
        try Data(#"[{"n": 0, "op": "dance"}]"#.utf8).write(to: directory.appendingPathComponent("order.json"))
        #expect(throws: DecodingError.self) { try Recording(directory: directory) }
        #expect(throws: (any Error).self) { try Recording(named: "no-such-recording") }
    }

    @Test func everyRecordingOfTheProjectIsReadable() throws {
        for name in Recording.names {
            let recording = try Recording(named: name)
            for step in recording.steps {
                guard case .inject(let interface, let frame) = step.action else { continue }
                #expect(try recording.input(interface).frames.indices.contains(frame), "\(name), step \(step.number)")
                for output in step.outputs {
                    #expect(
                        try recording.output(output.interface).frames.indices.contains(output.frame),
                        "\(name), step \(step.number)")
                }
            }
        }
    }

    @Test func heapPacketsNoticeWritesAround() {
        let packet = HeapPacket([1, 2, 3])
        var frame = packet.frame()
        #expect(packet.isIntactAround && packet.array == [1, 2, 3])
        let prepended = frame.prepend(1)
        frame.bytes[0] = 0
        #expect(prepended && !packet.isIntactAround)
    }

    @Test func privilegesGiveTheirReason() {
        #expect(!Privileges.reason.isEmpty)
        #expect(Privileges.reason.contains("can be made") == Privileges.canMakeNamespaces)
    }
}
