import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct UDPTrackingTests {
    @Test func hasOneStateThatIsNeverActive() throws {
        let bed = TransportBed()
        let entry = try bed.entry(transportProtocol: IPProtocol.udp)
        for direction in [FlowDirection.request, .reply, .request] {
            let change = bed.advance(entry, .udp, [], direction)
            #expect(change.old == 0 && change.new == 0)
            #expect(bed.counts == [0, 1])
        }
        #expect(entry.timeout == Ticks.seconds(300) && entry.deadline == bed.bed.now + Ticks.seconds(300))
        #expect(Transport.udp.name(of: 0) == "UDP")
    }

    @Test func itsTimeoutCanBeSet() throws {
        let bed = TransportBed()
        let entry = try bed.entry(transportProtocol: IPProtocol.udp)
        bed.settings.timeouts = Timeouts(tcp: 1, tcpFin: 2, udp: 7)
        #expect(entry.timeout != Ticks.seconds(7))
        _ = bed.advance(entry, .udp, [], .request)
        #expect(entry.timeout == Ticks.seconds(7))
    }
}
