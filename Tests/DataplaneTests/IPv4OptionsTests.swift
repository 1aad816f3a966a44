import TestSupport
import Testing
import Wire

@testable import Balancer
@testable import Dataplane

/// IPv4 options as a router treats them.
@Suite struct IPv4OptionsTests {
    private func inspect(_ options: [UInt8]) throws -> IPv4Options.Finding {
        let frame = TestDirector.request(.syn).setting(\.options, options).frame()
        return try HeapPacket.with(frame) { bytes in
            var packet = PacketDescription()
            guard case .packet = Classify.v4(bytes, at: EthernetHeader.length, into: &packet) else {
                throw CancellationError()
            }
            return IPv4Options.inspect(bytes, packet)
        }
    }

    static let rows: [([UInt8], IPv4Options.Finding)] = [
        ([], .plain), ([1, 1, 1, 0], .plain), ([148, 4, 0, 0], .plain), ([7, 7, 4, 0, 0, 0, 0, 0], .plain),
        ([131, 3, 4, 0], .sourceRoute), ([1, 137, 3, 4], .sourceRoute),
        // Behind the end nothing counts.
        ([0, 131, 3, 4], .plain),
        // A length of none, one that is too short, one beyond the header.
        ([1, 1, 1, 148], .broken(at: 23)), ([148, 1, 0, 0], .broken(at: 20)), ([148, 0, 0, 0], .broken(at: 20)),
        ([148, 5, 0, 0], .broken(at: 20)),
        // Record route: cut off, a pointer before the first entry, room for half an address; a full one is right.
        ([7, 2, 0, 0], .broken(at: 21)), ([7, 7, 3, 0, 0, 0, 0, 0], .broken(at: 22)), ([7, 4, 4, 0], .broken(at: 22)),
        ([7, 3, 4, 0], .plain),
        // Timestamps: cut off, a pointer before the first, half a stamp, half an address and stamp, too many hosts.
        ([68, 8, 5, 0, 0, 0, 0, 0], .plain), ([68, 3, 5, 0], .broken(at: 21)),
        ([68, 8, 4, 0, 0, 0, 0, 0], .broken(at: 22)), ([68, 5, 5, 0, 0, 0, 0, 0], .broken(at: 22)),
        ([68, 8, 5, 1, 0, 0, 0, 0], .broken(at: 22)), ([68, 4, 5, 0xe0], .plain), ([68, 4, 5, 0xf0], .broken(at: 23)),
    ]

    @Test(arguments: rows)
    func finds(options: [UInt8], finding: IPv4Options.Finding) throws { #expect(try inspect(options) == finding) }

    /// RFC 791 §3.1: the address that the packet was sent to goes where the pointer says, and the pointer moves on; a full route is left
    /// alone.
    @Test(
        arguments: [
            ([7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0], [7, 11, 8, 203, 0, 113, 80, 0, 0, 0, 0, 0]),
            ([1, 7, 11, 8, 9, 9, 9, 9, 0, 0, 0, 0], [1, 7, 11, 12, 9, 9, 9, 9, 203, 0, 113, 80]),
            ([7, 7, 8, 9, 9, 9, 9, 0], [7, 7, 8, 9, 9, 9, 9, 0]),
            ([7, 7, 255, 9, 9, 9, 9, 0], [7, 7, 255, 9, 9, 9, 9, 0]),
        ] as [([UInt8], [UInt8])])
    func records(before: [UInt8], after: [UInt8]) throws {
        let bed = try TestDirector()
        try bed.serve()
        let sent = try #require(bed.receive(TestDirector.request(.syn).setting(\.options, before).frame()).first)
        #expect(Array(sent.bytes[34..<34 + after.count]) == after)
        #expect(PacketCheck.problems(sent.bytes, .to("10.0.2.11:80"), .checksumsRight) == [])
    }
}
