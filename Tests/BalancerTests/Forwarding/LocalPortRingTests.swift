import Synchronization
import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct LocalPortRingTests {
    @Test func everyPortIsHandedOutOnceFromTheFirstOn() {
        let memory = LocalPortMemory(.heap)
        withExtendedLifetime(memory) {
            let ports = LocalPortRing.firstPort...LocalPortRing.lastPort
            #expect(ports.allSatisfy { memory.ring.take() == $0 })
            #expect(memory.ring.take() == nil)
            #expect(memory.ring.inUse == LocalPortRing.ports)
        }
    }

    @Test func ofAnAddressOfTheHostOnlyTheUpperPortsAreHandedOut() {
        let memory = LocalPortMemory(.heap, from: LocalPortRing.firstPortBesideHost)
        withExtendedLifetime(memory) {
            let ring = memory.ring
            #expect((61_000...65_535).allSatisfy { ring.take() == $0 })
            #expect(ring.take() == nil && ring.inUse == 4_536)
            ring.giveBack(61_007)
            #expect(ring.inUse == 4_535 && ring.take() == 61_007)
        }
    }

    @Test func aPortThatCameBackIsTheLastToGo() {
        let memory = LocalPortMemory(.heap)
        withExtendedLifetime(memory) {
            let ring = memory.ring
            let (first, second) = (ring.take() ?? 0, ring.take() ?? 0)
            ring.giveBack(second)
            ring.giveBack(first)
            for _ in 2..<LocalPortRing.ports { _ = ring.take() }
            #expect(ring.take() == second)
            #expect(ring.take() == first)
            #expect(ring.take() == nil)
            ring.giveBack(4711)
            #expect(ring.take() == 4711)
        }
    }

    /// Against an array, over several rounds of the ring.
    @Test func isAQueue() {
        var random = SeededRandom(seed: 7)
        let memory = LocalPortMemory(.heap)
        withExtendedLifetime(memory) {
            let ring = memory.ring
            var free = Array(LocalPortRing.firstPort...LocalPortRing.lastPort)
            var next = 0
            var used: [UInt16] = []
            for _ in 0..<TestScale.count(debug: 200_000, release: 1_000_000) {
                if used.isEmpty || random.next() % 2 == 0 {
                    let wanted = next < free.count ? free[next] : nil
                    if ring.take() != wanted { Issue.record("not \(String(describing: wanted))") }
                    if let wanted {
                        next += 1
                        used.append(wanted)
                    }
                } else {
                    let port = used.remove(at: Int(random.next() % UInt64(used.count)))
                    free.append(port)
                    ring.giveBack(port)
                }
            }
            #expect(ring.inUse == used.count)
        }
    }

    /// Threads that take and give at once: no port is ever in two hands, none is lost.
    @Test func noPortIsInTwoHands() {
        let memory = LocalPortMemory(.heap)
        let owners = Owners()
        let rounds = TestScale.count(debug: 20_000, release: 200_000)
        withExtendedLifetime(memory) {
            let ring = UncheckedRing(ring: memory.ring)
            Threads.run(4) { number in
                var held: [UInt16] = []
                var random = SeededRandom(seed: UInt64(number))
                for _ in 0..<rounds {
                    if held.count < 40, random.next() % 2 == 0 {
                        guard let port = ring.ring.take() else {
                            owners.fail()
                            continue
                        }
                        if !owners.claim(port) { owners.fail() }
                        held.append(port)
                    } else if let port = held.popLast() {
                        owners.release(port)
                        ring.ring.giveBack(port)
                    }
                }
                for port in held {
                    owners.release(port)
                    ring.ring.giveBack(port)
                }
            }
            #expect(owners.failures == 0)
            #expect(memory.ring.inUse == 0)
            var seen: Set<UInt16> = []
            while let port = memory.ring.take() { seen.insert(port) }
            #expect(seen.count == LocalPortRing.ports)
        }
    }

    /// More threads than ports: what is taken was free, and nobody waits for ever.
    @Test func aRingThatIsUsedUpGivesWhatComesBack() {
        let memory = LocalPortMemory(.heap)
        let owners = Owners()
        let rounds = TestScale.count(debug: 20_000, release: 200_000)
        withExtendedLifetime(memory) {
            for _ in 0..<(LocalPortRing.ports - 3) { _ = memory.ring.take() }
            let ring = UncheckedRing(ring: memory.ring)
            Threads.run(4) { _ in
                for _ in 0..<rounds {
                    guard let port = ring.ring.take() else { continue }
                    if !owners.claim(port) { owners.fail() }
                    owners.release(port)
                    ring.ring.giveBack(port)
                }
            }
            #expect(owners.failures == 0)
            #expect(memory.ring.inUse == LocalPortRing.ports - 3)
        }
    }
}

/// A ring may be used by any thread; the handle holds a pointer.
private struct UncheckedRing: @unchecked Sendable {
    let ring: LocalPortRing
}

/// Who has which port, a bit each.
private final class Owners: Sendable {
    private let words: [Word] = (0..<1024).map { _ in Word() }
    private let failed = Atomic<Int>(0)

    private final class Word: Sendable {
        let bits = Atomic<UInt64>(0)
    }

    var failures: Int { failed.load(ordering: .relaxed) }
    func fail() { failed.wrappingAdd(1, ordering: .relaxed) }

    /// False: somebody has it.
    func claim(_ port: UInt16) -> Bool {
        let bit = UInt64(1) << UInt64(port & 63)
        return words[Int(port >> 6)].bits.bitwiseOr(bit, ordering: .relaxed).oldValue & bit == 0
    }

    func release(_ port: UInt16) {
        let bit = UInt64(1) << UInt64(port & 63)
        words[Int(port >> 6)].bits.bitwiseAnd(~bit, ordering: .relaxed)
    }
}
