import Wire

@testable import PacketIO

/// A random set of owned traffic, and random frames that are often near it.
struct TrafficSample {
    private(set) var traffic = OwnedTraffic()
    private var addresses: [IPAddress] = []
    private var ports: [Int] = []

    init(_ random: inout SeededRandom, addresses count: Int, ports portCount: Int) {
        for _ in 0..<count {
            addresses.append(IPAddress(v4: 0x0a00_0000 + UInt32.random(in: 0..<UInt32(count * 2), using: &random)))
            addresses.append(
                IPAddress(
                    high: 0x2001_0db8_0000_0000 + UInt64.random(in: 0..<3, using: &random),
                    low: UInt64.random(in: 0..<2, using: &random) << 32
                        + UInt64.random(in: 0..<UInt64(count), using: &random)))
        }
        ports = (0..<portCount).map { _ in Int.random(in: 1..<65536, using: &random) }
        func some(_ part: Int) -> [IPAddress] {
            (0..<max(1, addresses.count / part)).map { _ in pick(addresses, &random) }
        }
        func endpoint(_ address: IPAddress) -> OwnedTraffic.Endpoint {
            let port = Int.random(in: 0..<10, using: &random) == 0 ? 0 : pick(ports, &random)
            return .init(
                transportProtocol: pick([6, 17, 132], &random), address: address, port: UInt16(port))
        }
        traffic.virtual = some(2).map(endpoint)
        traffic.servers = some(2).map(endpoint)
        traffic.addresses = some(10)
        traffic.errorsAbout = some(10)
        traffic.arpFor = some(4).filter(\.isV4)
        traffic.ndFor = some(4).filter { !$0.isV4 }
    }

    func frame(_ random: inout SeededRandom) -> [UInt8] {
        var frame = whole(&random)
        if Int.random(in: 0..<8, using: &random) == 0 {
            frame = Array(frame.prefix(.random(in: 0...120, using: &random)))
        }
        return frame
    }

    private func whole(_ random: inout SeededRandom) -> [UInt8] {
        let source = pick(addresses, &random)
        let destination = pick(addresses.filter { $0.family == source.family }, &random)
        if Int.random(in: 0..<10, using: &random) == 0, source.isV4 {
            return TestFrames.arp(operation: .random(in: 1...2, using: &random), target: destination)
        }
        let number: UInt8 = pick([6, 6, 6, 17, 17, 132, 1, 58, 44, 0, 50, 4], &random)
        let payload =
            number == 1 || number == 58
            ? icmp(source, &random) : TestFrames.ports(pick(ports, &random), pick(ports, &random))
        guard source.isV4 else { return TestFrames.packet(number, from: source, to: destination, payload) }
        let fragment = pick([0, 0, 0, 0x4000, 0x2000, 0x0005], &random)
        let packet = TestFrames.ipv4Packet(
            number, from: source, to: destination, options: .random(in: 0...3, using: &random), fragment: fragment,
            payload)
        return TestFrames.ethernet(pick([0x0800, 0x0800, 0x0800, 0x0800, 0x8100], &random), packet)
    }

    private func icmp(_ source: IPAddress, _ random: inout SeededRandom) -> [UInt8] {
        let about = pick(addresses.filter { $0.family == source.family }, &random)
        let from = pick(addresses.filter { $0.family == source.family }, &random)
        let quoted =
            source.isV4
            ? TestFrames.ipv4Packet(6, from: from, to: about, TestFrames.ports(1, 2))
            : TestFrames.ipv6Packet(6, from: from, to: about, TestFrames.ports(1, 2))
        let type: UInt8 = pick([0, 1, 2, 3, 4, 5, 8, 11, 12, 128, 135, 135, 136], &random)
        return [type, 0, 0, 0, 0, 0, 0, 0] + (type == 135 ? TestFrames.bytes(of: about) : quoted)
    }

    private func pick<Element>(_ elements: [Element], _ random: inout SeededRandom) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &random)]
    }
}
