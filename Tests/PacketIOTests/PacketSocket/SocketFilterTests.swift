import Balancer
import Testing
import Wire

@testable import PacketIO

@Suite struct SocketFilterTests {
    private static let virtual4 = address("203.0.113.80")
    private static let virtual6 = address("2001:db8:80::80")
    private static let server4 = address("10.0.2.11")
    private static let server6 = address("2001:db8:2::11")
    private static let client4 = address("198.51.100.7")
    private static let client6 = address("2001:db8:100::7")

    private static var traffic: OwnedTraffic {
        var traffic = OwnedTraffic()
        for (virtual, server) in [(virtual4, server4), (virtual6, server6)] {
            traffic.virtual.append(.init(transportProtocol: IPProtocol.tcp, address: virtual, port: 80))
            traffic.virtual.append(.init(transportProtocol: IPProtocol.udp, address: virtual, port: 53))
            traffic.servers.append(.init(transportProtocol: IPProtocol.tcp, address: server, port: 8080))
        }
        traffic.addresses = [address("203.0.113.99"), address("2001:db8:80::99")]
        traffic.errorsAbout = [address("10.0.9.1")]
        traffic.arpFor = [virtual4]
        traffic.ndFor = [virtual6]
        return traffic
    }

    private func verdict(_ frame: [UInt8], _ filter: SocketFilter, _ context: FilterMachine.Context = .init()) throws
        -> Bool
    {
        try FilterMachine(program: filter.instructions).run(frame, context) > 0
    }

    @Test func requestsAndRepliesPassByPort() throws {
        let filter = SocketFilter(Self.traffic)
        #expect(filter.precision == .exact)
        for (virtual, server, client) in [
            (Self.virtual4, Self.server4, Self.client4), (Self.virtual6, Self.server6, Self.client6),
        ] {
            let request = TestFrames.packet(6, from: client, to: virtual, TestFrames.ports(4000, 80))
            let otherPort = TestFrames.packet(6, from: client, to: virtual, TestFrames.ports(4000, 81))
            let otherProtocol = TestFrames.packet(17, from: client, to: virtual, TestFrames.ports(4000, 80))
            let reply = TestFrames.packet(6, from: server, to: client, TestFrames.ports(8080, 4000))
            let otherReply = TestFrames.packet(6, from: server, to: client, TestFrames.ports(22, 4000))
            let toServer = TestFrames.packet(6, from: client, to: server, TestFrames.ports(4000, 8080))
            #expect(try verdict(request, filter))
            #expect(try !verdict(otherPort, filter))
            #expect(try !verdict(otherProtocol, filter))
            #expect(try verdict(reply, filter))
            #expect(try !verdict(otherReply, filter))
            #expect(try !verdict(toServer, filter))
        }
    }

    @Test(arguments: ["10.0.2.1", "2001:db8:2::1"])
    func ofTheHostsAddressTheUpperPortsPass(text: String) throws {
        var traffic = OwnedTraffic()
        traffic.besideHost = [address(text)]
        let filter = SocketFilter(traffic)
        #expect(filter.precision == .exact)
        let server = text.contains(":") ? Self.server6 : Self.server4
        for (port, passes) in [(80, false), (60_999, false), (61_000, true), (65_535, true)] {
            for number in [IPProtocol.tcp, IPProtocol.udp, IPProtocol.sctp] {
                let reply = TestFrames.packet(number, from: server, to: address(text), TestFrames.ports(53, port))
                #expect(try verdict(reply, filter) == passes)
            }
        }
        let elsewhere = TestFrames.packet(6, from: address(text), to: server, TestFrames.ports(61_000, 61_000))
        #expect(try !verdict(elsewhere, filter))
        #expect(try !verdict(TestFrames.arp(target: address("10.0.2.1")), filter), "the host answers")
    }

    /// Marked packets pass by prefix alone: the director looks closer.
    @Test(
        arguments: [
            ("203.0.114.0", 24, "203.0.114.255", "203.0.115.0"), ("203.0.114.7", 32, "203.0.114.7", "203.0.114.8"),
            ("2001:db8:90::", 44, "2001:db8:9f::1", "2001:db8:a0::1"),
            ("2001:db8:90::", 64, "2001:db8:90::ffff:1", "2001:db8:90:1::1"),
            ("2001:db8:90::5", 128, "2001:db8:90::5", "2001:db8:90::4"),
        ])
    func markedPacketsPassByPrefix(prefix: String, length: Int, inside: String, outside: String) throws {
        let rule = MarkRule(
            destination: address(prefix), destinationLength: length, transportProtocol: IPProtocol.tcp,
            destinationPort: 80, mark: 5)
        var bySource = rule
        (bySource.source, bySource.sourceLength, bySource.destination) = (rule.destination, length, nil)
        for (rule, isSource) in [(rule, false), (bySource, true)] {
            var traffic = OwnedTraffic()
            traffic.marked = [MarkedTraffic(rule: rule, isOurs: true)]
            func passes(_ text: String, _ traffic: OwnedTraffic) throws -> Bool {
                let client = text.contains(":") ? Self.client6 : Self.client4
                let ends = isSource ? (address(text), client) : (client, address(text))
                return try verdict(
                    TestFrames.packet(6, from: ends.0, to: ends.1, TestFrames.ports(4000, 80)), SocketFilter(traffic))
            }
            #expect(try passes(inside, traffic))
            #expect(try !passes(outside, traffic))
            traffic.marked = [MarkedTraffic(rule: rule, isOurs: false)]
            #expect(try !passes(inside, traffic))
        }
    }

    @Test func framesForOthersAndTaggedFramesNeverPass() throws {
        let filter = SocketFilter(Self.traffic)
        let request = TestFrames.packet(6, from: Self.client4, to: Self.virtual4, TestFrames.ports(4000, 80))
        #expect(try verdict(request, filter, .init(packetType: 2)))
        #expect(try !verdict(request, filter, .init(packetType: 3)))
        #expect(try !verdict(request, filter, .init(packetType: 4)))
        #expect(try !verdict(request, filter, .init(hasVLANTag: true)))
    }

    @Test func resolutionPassesForOwnedAddressesOnly() throws {
        let filter = SocketFilter(Self.traffic)
        #expect(try verdict(TestFrames.arp(target: Self.virtual4), filter))
        #expect(try !verdict(TestFrames.arp(operation: 2, target: Self.virtual4), filter))
        #expect(try !verdict(TestFrames.arp(target: Self.server4), filter))
        let group = address("ff02::1:ff00:80")
        func solicitation(_ target: IPAddress) -> [UInt8] {
            TestFrames.packet(
                58, from: Self.client6, to: group, [135, 0, 0, 0, 0, 0, 0, 0] + TestFrames.bytes(of: target))
        }
        #expect(try verdict(solicitation(Self.virtual6), filter))
        #expect(try !verdict(solicitation(Self.server6), filter))
    }

    @Test func errorsPassByWhatTheyQuote() throws {
        let filter = SocketFilter(Self.traffic)
        let router = address("10.0.2.254")
        func error(_ type: UInt8, about destination: IPAddress) -> [UInt8] {
            let quoted = TestFrames.ipv4Packet(6, from: Self.client4, to: destination, TestFrames.ports(4000, 8080))
            return TestFrames.packet(1, from: router, to: Self.client4, [type, 0, 0, 0, 0, 0, 0, 0] + quoted)
        }
        #expect(try verdict(error(3, about: Self.server4), filter))
        #expect(try verdict(error(11, about: address("10.0.9.1")), filter))
        #expect(try !verdict(error(3, about: address("10.0.9.2")), filter))
        #expect(try !verdict(error(8, about: Self.server4), filter))
        let quoted6 = TestFrames.ipv6Packet(6, from: Self.client6, to: Self.server6, TestFrames.ports(4000, 8080))
        let tooBig = TestFrames.packet(58, from: Self.server6, to: Self.client6, [2, 0, 0, 0, 0, 0, 5, 0] + quoted6)
        #expect(try verdict(tooBig, filter))
    }

    @Test func fragmentsPassByAddress() throws {
        let filter = SocketFilter(Self.traffic)
        func fragment(_ source: IPAddress, _ destination: IPAddress) -> [UInt8] {
            TestFrames.ethernet(
                0x0800, TestFrames.ipv4Packet(17, from: source, to: destination, fragment: 0x00b9, [0, 0, 0, 0]))
        }
        #expect(try verdict(fragment(Self.client4, Self.virtual4), filter))
        #expect(try verdict(fragment(Self.server4, Self.client4), filter))
        #expect(try !verdict(fragment(Self.client4, Self.server4), filter))
        let fragment6 = TestFrames.packet(44, from: Self.client6, to: Self.virtual6, [17, 0, 0, 0xb9, 0, 0, 0, 1])
        #expect(try verdict(fragment6, filter))
    }

    /// Random frames over few addresses and ports, some cut short, against the model: exact filters agree with it, coarse
    /// ones pass at least what it passes.
    @Test(arguments: [UInt64](1...12)) func agreesWithTheModel(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let sample = TrafficSample(
            &random, addresses: [3, 40, 400][Int(seed % 3)], ports: [2, 30, 300][Int(seed / 3 % 3)])
        let traffic = sample.traffic
        let model = FilterModel(traffic: traffic)
        let filter = SocketFilter(traffic)
        let coarse = SocketFilter(traffic, limit: SocketFilter.smallestLimit)
        #expect(filter.instructions.count <= SocketFilter.kernelLimit)
        #expect(coarse.instructions.count <= SocketFilter.smallestLimit)
        var passed = 0
        for _ in 0..<1000 {
            let frame = sample.frame(&random)
            let context = FilterMachine.Context(
                packetType: UInt32.random(in: 0..<20, using: &random) == 0 ? 3 : 0,
                hasVLANTag: UInt32.random(in: 0..<20, using: &random) == 0)
            let expected = model.passes(frame, context)
            passed += expected ? 1 : 0
            let kept = try verdict(frame, filter, context)
            if filter.precision == .exact {
                #expect(kept == expected, "seed \(seed): \(frame)")
            } else {
                #expect(kept || !expected, "seed \(seed): \(frame)")
            }
            #expect(try verdict(frame, coarse, context) || !expected, "seed \(seed), coarse: \(frame)")
        }
        #expect((50...950).contains(passed), "the sample says nothing: \(passed) of 1000 pass")
    }

    @Test func manyServicesStayExact() throws {
        var ports = OwnedTraffic()
        var neighbours = OwnedTraffic()
        var scattered = OwnedTraffic()
        for index in 0..<5000 {
            ports.virtual.append(.init(transportProtocol: 6, address: Self.virtual4, port: UInt16(1000 + index)))
            neighbours.virtual.append(
                .init(transportProtocol: 6, address: IPAddress(v4: 0x0a00_0000 + UInt32(index)), port: 80))
        }
        for index in 0..<3000 {
            scattered.virtual.append(
                .init(transportProtocol: 6, address: IPAddress(v4: UInt32(index) &* 0x9e37_79b9), port: 80))
        }
        for traffic in [ports, neighbours, scattered] {
            let filter = SocketFilter(traffic)
            #expect(filter.precision == .exact)
            #expect(filter.instructions.count <= SocketFilter.kernelLimit)
        }
    }

    @Test func whatDoesNotFitIsMatchedMoreCoarsely() throws {
        var traffic = OwnedTraffic()
        for index in 0..<20_000 {
            let place = UInt32(index) &* 0x9e37_79b9
            traffic.virtual.append(
                .init(transportProtocol: 6, address: IPAddress(v4: place), port: UInt16(index % 7 + 80)))
        }
        let filter = SocketFilter(traffic)
        #expect(filter.precision == .addressRanges)
        for endpoint in traffic.virtual.prefix(500) {
            let frame = TestFrames.packet(
                6, from: Self.client4, to: endpoint.address, TestFrames.ports(4000, Int(endpoint.port)))
            #expect(try verdict(frame, filter))
        }
        let otherPort = TestFrames.packet(
            6, from: Self.client4, to: traffic.virtual[0].address, TestFrames.ports(4000, 79))
        #expect(try !verdict(otherPort, filter))
    }

    /// What is included passes, and of the rest exactly what passed before.
    @Test(arguments: [UInt64](1...4)) func includingAddsAndTakesNothing(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let sample = TrafficSample(&random, addresses: 20, ports: 10)
        let traffic = sample.traffic
        var more = OwnedTraffic()
        more.virtual = [traffic.virtual[0]]
        more.servers = Array(traffic.servers.prefix(2))
        more.addresses = Array(traffic.addresses.prefix(1))
        var rest = traffic
        rest.virtual.removeFirst()
        rest.servers = Array(traffic.servers.dropFirst(2))
        rest.addresses = Array(traffic.addresses.dropFirst())
        let (before, alone) = (SocketFilter(rest), SocketFilter(more))
        let both = try #require(before.including(more))
        #expect(both.instructions.count < before.instructions.count + alone.instructions.count)
        for _ in 0..<1000 {
            let frame = sample.frame(&random)
            let context = FilterMachine.Context(packetType: UInt32.random(in: 0..<9, using: &random) == 0 ? 3 : 0)
            let expected = try verdict(frame, before, context) || verdict(frame, alone, context)
            #expect(try verdict(frame, both, context) == expected, "seed \(seed): \(frame)")
        }
        #expect(before.including(more, limit: before.instructions.count) == nil)
    }

    @Test func nothingAndEverything() throws {
        let frame = TestFrames.arp(target: Self.virtual4)
        #expect(try !verdict(frame, .nothing))
        #expect(try verdict(frame, .everything, .init(packetType: 3)))
        #expect(try !verdict(frame, SocketFilter(OwnedTraffic())))
    }
}
