import Balancer
import TestSupport
import Testing
import Wire

/// Gathers frames as a director would, and says what became of each.
private final class Gatherer {
    enum Event: Equatable { case waits, refused, broken(Int), complete([UInt8]) }
    var fragments = Fragments()
    var now: Tick = 0

    func add(_ bytes: [UInt8]) throws -> Event {
        let heap = HeapPacket(bytes)
        var packet = PacketDescription()
        let isV4 = bytes[12] == 8
        let isRead =
            isV4 ? Classify.v4(heap.bytes, at: 14, into: &packet) : Classify.v6(heap.bytes, at: 14, into: &packet)
        guard case .packet = isRead else { throw Unreadable() }
        try #require(packet.isFragment)
        switch fragments.add(heap.bytes, packet, now: now) {
        case .waits: return .waits
        case .refused: return .refused
        case .broken(let waiting): return .broken(waiting)
        case .complete(let place):
            let whole = fragments.assemble(place, networkOffset: 14, isV4: isV4).bytes.array()
            fragments.release(place)
            return .complete(whole)
        }
    }

    func needsRoom(_ bytes: [UInt8]) -> Bool {
        let heap = HeapPacket(bytes)
        var packet = PacketDescription()
        _ = Classify.v4(heap.bytes, at: 14, into: &packet)
        return fragments.needsRoom(packet, heap.bytes)
    }

    /// Datagrams that wait.
    var count: Int { fragments.count }

    /// End the datagram whose time is up.
    /// - Returns: its fragments, and its first fragment if that came; nil when there is none.
    func expire(now: Tick) -> (count: Int, first: [UInt8]?)? {
        guard let place = fragments.expired(now: now) else { return nil }
        let first = fragments.hasFirst(place) ? fragments.firstFragment(place).bytes.array() : nil
        let count = fragments.fragmentCount(place)
        fragments.release(place)
        return (count, first)
    }

    func evictOldest() -> Int { fragments.evictOldest() }

    struct Unreadable: Error {}
}

@Suite("Fragments")
struct FragmentsTests {
    private static let v4 = PacketBuilder.udp(
        from: "198.51.100.1:40000", to: "203.0.113.80:53", payload: (0..<200).map { UInt8($0) }
    ).setting(\.doesNotFragment, false)
    private static let v6 = PacketBuilder.udp(
        from: "[2001:db8:ffff::1]:40000", to: "[2001:db8:80::80]:53", payload: (0..<200).map { UInt8($0) })

    /// A fragment of `builder`'s packet with these bytes of its segment.
    private static func piece(_ builder: PacketBuilder, _ range: Range<Int>, more: Bool) -> [UInt8] {
        var other = builder
        other.transport = .other(builder.transportProtocol)
        other.payload = Array(builder.segment()[range])
        var frame = other.setting(\.doesNotFragment, false).frame()
        let word = UInt16(range.lowerBound / 8) | (more ? 0x2000 : 0)
        frame.replaceSubrange(20..<22, with: word.networkBytes)
        frame.replaceSubrange(24..<26, with: [0, 0])
        frame.replaceSubrange(24..<26, with: ReferenceChecksum.internet(Array(frame[14..<34])).networkBytes)
        return frame
    }

    @Test(
        "in order and out of order, both families", arguments: [true, false],
        [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
    func orders(isV4: Bool, order: [Int]) throws {
        let builder = isV4 ? Self.v4 : Self.v6
        let frames = builder.fragments(size: 56)
        try #require(frames.count == 4)
        let gatherer = Gatherer()
        for index in order.dropLast() { #expect(try gatherer.add(frames[index]) == .waits) }
        #expect(gatherer.count == 1)
        #expect(try gatherer.add(frames[order[3]]) == .complete(builder.frame()))
        #expect(gatherer.count == 0)
    }

    @Test(
        "IPv6 headers before the fragment header stay",
        arguments: [
            (IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0]),
            (IPProtocol.authentication, [0, 4] + [UInt8](repeating: 7, count: 22)),
        ] as [(UInt8, [UInt8])])
    func unfragmentable(kind: UInt8, bytes: [UInt8]) throws {
        var builder = Self.v6
        builder.extensionHeaders = [(kind, bytes), (IPProtocol.destinationOptions, [0, 0, 1, 4, 0, 0, 0, 0])]
        let frames = builder.fragments(size: 120)
        let gatherer = Gatherer()
        _ = try gatherer.add(frames[1])
        #expect(try gatherer.add(frames[0]) == .complete(builder.frame()))
    }

    @Test("bytes that are there already are left out")
    func duplicates() throws {
        let frames = Self.v4.fragments(size: 56)
        let gatherer = Gatherer()
        _ = try gatherer.add(frames[0])
        #expect(try gatherer.add(frames[0]) == .refused)
        _ = try gatherer.add(frames[1])
        #expect(try gatherer.add(Self.piece(Self.v4, 8..<104, more: true)) == .refused)
        _ = try gatherer.add(frames[3])
        #expect(try gatherer.add(frames[3]) == .refused)
        #expect(try gatherer.add(frames[2]) == .complete(Self.v4.frame()))
    }

    @Test(
        "an overlap ends the datagram",
        arguments: [0..<64, 48..<112, 8..<200, 104..<208] as [Range<Int>])
    func overlaps(range: Range<Int>) throws {
        let gatherer = Gatherer()
        _ = try gatherer.add(Self.piece(Self.v4, 56..<112, more: true))
        _ = try gatherer.add(Self.piece(Self.v4, 168..<208, more: false))
        #expect(try gatherer.add(Self.piece(Self.v4, range, more: range.upperBound < 208)) == .broken(2))
        #expect(gatherer.count == 0)
    }

    @Test("two ends, or bytes behind the end, end the datagram")
    func ends() throws {
        let gatherer = Gatherer()
        _ = try gatherer.add(Self.piece(Self.v4, 104..<208, more: false))
        #expect(try gatherer.add(Self.piece(Self.v4, 8..<96, more: false)) == .broken(1))
        _ = try gatherer.add(Self.piece(Self.v4, 104..<208, more: true))
        #expect(try gatherer.add(Self.piece(Self.v4, 8..<96, more: false)) == .broken(1))
        _ = try gatherer.add(Self.piece(Self.v4, 8..<96, more: false))
        #expect(try gatherer.add(Self.piece(Self.v4, 104..<208, more: true)) == .broken(1))
    }

    @Test("IPv6 leaves a second end out, and goes on")
    func endsOfV6() throws {
        let gatherer = Gatherer()
        let frames = Self.v6.fragments(size: 104)
        let shorter = Self.v6.setting(\.payload, Array(Self.v6.payload.dropLast(24))).fragments(size: 104)
        try #require(frames.count == 2 && shorter.count == 2)
        #expect(try gatherer.add(frames[1]) == .waits)
        #expect(try gatherer.add(shorter[1]) == .refused)
        #expect(try gatherer.add(frames[0]) == .complete(Self.v6.frame()))
    }

    @Test("a fragment without a byte, or with an odd end, is no fragment")
    func odd() throws {
        let gatherer = Gatherer()
        #expect(try gatherer.add(Self.piece(Self.v4, 8..<8, more: true)) == .broken(0))
        // IPv4 cuts an odd end off (the kernel does), IPv6 ends the datagram.
        #expect(try gatherer.add(Self.piece(Self.v4, 0..<101, more: true)) == .waits)
        #expect(try gatherer.add(Self.piece(Self.v4, 96..<208, more: false)) == .complete(Self.v4.frame()))
        var odd = Self.v6.fragments(size: 104)[0]
        odd.removeLast()
        odd.replaceSubrange(18..<20, with: UInt16(odd.count - 54).networkBytes)
        #expect(try gatherer.add(odd) == .broken(0))
    }

    @Test("a datagram that would be longer than a packet is given up")
    func tooLong() throws {
        let gatherer = Gatherer()
        var frame = Self.v4.fragments(size: 56)[0]
        frame.replaceSubrange(20..<22, with: UInt16(0x1fff).networkBytes)
        frame.replaceSubrange(24..<26, with: [0, 0])
        frame.replaceSubrange(24..<26, with: ReferenceChecksum.internet(Array(frame[14..<34])).networkBytes)
        #expect(try gatherer.add(frame) == .broken(0))
    }

    @Test("more fragments than the limit end the datagram")
    func tooMany() throws {
        let long = Self.v4.setting(\.payload, [UInt8](repeating: 0, count: 8 * (Fragments.fragmentLimit + 4)))
        let frames = long.fragments(size: 8)
        let gatherer = Gatherer()
        for frame in frames.prefix(Fragments.fragmentLimit) { #expect(try gatherer.add(frame) == .waits) }
        #expect(try gatherer.add(frames[Fragments.fragmentLimit]) == .broken(Fragments.fragmentLimit))
    }

    @Test("the oldest datagram makes room when there is none")
    func room() throws {
        let gatherer = Gatherer()
        for number in 0..<Fragments.capacity {
            gatherer.now = Tick(number)
            let builder = Self.v4.setting(\.identification, UInt16(number))
            #expect(!gatherer.needsRoom(builder.fragments(size: 104)[0]))
            _ = try gatherer.add(builder.fragments(size: 104)[0])
        }
        let next = Self.v4.setting(\.identification, 999).fragments(size: 104)
        #expect(gatherer.needsRoom(next[0]))
        // A fragment of one that waits needs none.
        #expect(!gatherer.needsRoom(Self.v4.setting(\.identification, 5).fragments(size: 104)[1]))
        #expect(gatherer.evictOldest() == 1)
        #expect(try gatherer.add(next[0]) == .waits)
        let first = Self.v4.setting(\.identification, 0).fragments(size: 104)
        #expect(gatherer.needsRoom(first[1]))
        let second = Self.v4.setting(\.identification, 1)
        #expect(try gatherer.add(second.fragments(size: 104)[1]) == .complete(second.frame()))
    }

    @Test("time runs out for the oldest first", arguments: [true, false])
    func time(isV4: Bool) throws {
        let builder = isV4 ? Self.v4 : Self.v6
        let patience = Fragments.patience(isV4: isV4)
        let gatherer = Gatherer()
        _ = try gatherer.add(builder.setting(\.identification, 1).fragments(size: 104)[0])
        gatherer.now = 10
        _ = try gatherer.add(builder.setting(\.identification, 2).fragments(size: 104)[1])
        #expect(gatherer.expire(now: patience &- 1) == nil)
        let first = try #require(gatherer.expire(now: patience))
        #expect(first.count == 1 && first.first == builder.setting(\.identification, 1).fragments(size: 104)[0])
        #expect(gatherer.expire(now: patience) == nil)
        let second = try #require(gatherer.expire(now: patience &+ 10))
        #expect(second.first == nil && gatherer.count == 0)
    }

    @Test("DF stays where the largest fragment had it")
    func dontFragment() throws {
        func set(_ frame: [UInt8]) -> [UInt8] {
            HeapPacket.changing(frame) {
                let header = IPv4Header(unchecked: $0.dropping(14))
                header.setFragmentWord(header.fragmentWord | IPv4Header.dontFragment)
            }
        }
        let frames = Self.v4.fragments(size: 104)
        let gatherer = Gatherer()
        _ = try gatherer.add(set(frames[0]))
        #expect(try gatherer.add(set(frames[1])) == .complete(Self.v4.setting(\.doesNotFragment, true).frame()))
        let uneven = Self.v4.fragments(size: 112)
        _ = try gatherer.add(uneven[0])
        #expect(try gatherer.add(set(uneven[1])) == .complete(Self.v4.frame()))
    }

    @Test("one fragment that met congestion marks the whole; fragments that disagree on ECN end it")
    func congestion() throws {
        let gatherer = Gatherer()
        for builder in [Self.v4, Self.v6] {
            _ = try gatherer.add(builder.setting(\.typeOfService, 2).fragments(size: 104)[0])
            let last = builder.setting(\.typeOfService, 3).fragments(size: 104)[1]
            #expect(try gatherer.add(last) == .complete(builder.setting(\.typeOfService, 3).frame()))
        }
        _ = try gatherer.add(Self.v4.fragments(size: 104)[0])
        #expect(try gatherer.add(Self.v4.setting(\.typeOfService, 3).fragments(size: 104)[1]) == .broken(1))
    }

    @Test("any datagrams in any order, with duplicates, come out whole", arguments: 0..<30 as Range<UInt64>)
    func shuffled(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let gatherer = Gatherer()
        let builders = (0..<8).map { number in
            let size = Int.random(in: 200...9000, using: &random)
            return (random.pick([Self.v4, Self.v6])).setting(\.payload, random.bytes(size))
                .setting(\.identification, UInt16(number))
        }
        var queue = builders.enumerated().flatMap { number, builder in
            builder.fragments(
                size: 8
                    * Int.random(in: max(1, builder.payload.count / 800)...builder.payload.count / 9, using: &random)
            ).map { (number, $0) }
        }
        queue.shuffle(using: &random)
        var whole: [Int: [UInt8]] = [:]
        for (number, frame) in queue {
            switch try gatherer.add(frame) {
            case .waits:
                if Bool.random(using: &random) { #expect(try gatherer.add(frame) == .refused, "seed \(seed)") }
            case .complete(let bytes): whole[number] = bytes
            case let other: Issue.record("\(other), seed \(seed)")
            }
        }
        for (number, builder) in builders.enumerated() { #expect(whole[number] == builder.frame(), "seed \(seed)") }
        #expect(gatherer.count == 0, "seed \(seed)")
    }
}
