import PacketIO
import Testing
import Wire

@testable import Dataplane

@Suite struct AskedPortsTests {
    /// A port of which only the manner of asking matters.
    private final class Asked: Port {
        let name = "asked"
        let capabilities = PortCapabilities(mtu: 1500, carriesPartialChecksums: true, carriesSuperFrames: true)
        let statistics = PortStatistics()
        let descriptor: Int32?
        let isFreeToAsk: Bool
        init(descriptor: Int32?, isFreeToAsk: Bool = false) {
            self.descriptor = descriptor
            self.isFreeToAsk = isFreeToAsk
        }
        func receive(into frames: UnsafeMutableBufferPointer<Frame>) -> Int { 0 }
        func transmit(_ frames: UnsafeMutableBufferPointer<Frame>) {}
    }

    /// By calls, by a ring, in memory.
    private let ports = [Asked(descriptor: 3), Asked(descriptor: 4, isFreeToAsk: true), Asked(descriptor: nil)]

    private func slots(_ asked: AskedPorts, of count: Int = 3) -> [Int] { (0..<count).filter(asked.contains) }

    @Test func everyPortIsAskedAtFirst() { #expect(slots(AskedPorts(ports)) == [0, 1, 2]) }

    @Test func afterPollOnlyNamedPortsAndThoseFreeToAsk() {
        var asked = AskedPorts([Asked(descriptor: 5)] + ports)
        asked.onlyNamed()
        #expect(slots(asked, of: 4) == [2, 3])
        asked.name(1)
        #expect(slots(asked, of: 4) == [1, 2, 3])
        asked.all()
        #expect(slots(asked, of: 4) == [0, 1, 2, 3])
    }

    @Test(arguments: [
        (0, 0, true), (0, 1, true), (0, 2, false), (0, 64, false), (1, 0, true), (1, 1, false), (2, 1, false),
    ])
    func whatCallsForAnotherRound(_ slot: Int, _ count: Int, isQuiet: Bool) {
        var asked = AskedPorts(ports)
        asked.gave(slot, count: count)
        #expect(asked.isQuiet == isQuiet)
        asked.onlyNamed()
        #expect(asked.isQuiet)
    }

    /// More ports than bits: a port is never forgotten.
    @Test func portsThatShareABitAreAskedTogether() {
        var asked = AskedPorts([Asked](repeating: Asked(descriptor: 3), count: 70))
        asked.onlyNamed()
        #expect(slots(asked, of: 70).isEmpty)
        asked.name(66)
        #expect(slots(asked, of: 70) == [2, 66])
    }
}
