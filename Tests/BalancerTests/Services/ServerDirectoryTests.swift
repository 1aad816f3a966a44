import TestSupport
import Testing
import Wire

@testable import Balancer

@Suite struct ServerDirectoryTests {
    private static func block(
        _ addresses: [UInt32], method: ForwardingMethod = .masquerading, transportProtocol: UInt8 = IPProtocol.tcp
    ) -> ServiceBlock {
        var record = ServiceRecord(EngineBed.service(), slot: 0)
        record.transportProtocol = transportProtocol
        let destinations = addresses.map { address in
            DestinationRecord(
                address: IPAddress(v4: address), port: 80, method: method, tunnelKind: .ipip, tunnelPort: 0,
                tunnelChecksum: .none, slot: 0, weight: 1, lastWeight: 1)
        }
        return ServiceBlock(record, destinations: destinations, table: [])
    }

    private static func has(
        _ directory: ServerDirectory, _ address: UInt32, transportProtocol: UInt8 = IPProtocol.tcp
    ) -> Bool {
        directory.reference.contains(
            ServiceLookupKey(address: IPAddress(v4: address), port: 80, transportProtocol: transportProtocol, mark: 0))
    }

    @Test func aServerOfTwoServicesStaysUntilTheSecondIsGone() {
        let directory = ServerDirectory(room: 4)
        let (first, second) = (Self.block([1, 2]), Self.block([2, 3]))
        #expect(directory.add(first) && directory.add(second))
        directory.remove(first)
        #expect(!Self.has(directory, 1) && Self.has(directory, 2) && Self.has(directory, 3))
        directory.remove(second)
        #expect(!Self.has(directory, 2) && !Self.has(directory, 3))
        #expect(directory.add(first) && Self.has(directory, 1) && Self.has(directory, 2))
    }

    @Test func onlyNATHasServersThatReply() {
        let directory = ServerDirectory(room: 4)
        for method in ForwardingMethod.allCases {
            #expect(directory.add(Self.block([UInt32(method.rawValue) + 1], method: method)))
        }
        for method in ForwardingMethod.allCases {
            #expect(Self.has(directory, UInt32(method.rawValue) + 1) == (method == .masquerading))
        }
    }

    @Test func servicesOfMarksAreCounted() {
        let directory = ServerDirectory(room: 4)
        let block = Self.block([1], transportProtocol: 0)
        #expect(!directory.reference.hasMarked)
        #expect(directory.add(block) && directory.reference.hasMarked)
        directory.remove(block)
        #expect(!directory.reference.hasMarked)
    }

    /// Numbers are not used twice, since a worker may still look at one: at last there is no room.
    @Test func withoutRoomAddingSaysSo() {
        let directory = ServerDirectory(room: 0)
        var added = 0
        while added < 1000, directory.add(Self.block([UInt32(added + 1)])) {
            directory.remove(Self.block([UInt32(added + 1)]))
            added += 1
        }
        #expect(added == 64)
        #expect(!Self.has(directory, 1) && !Self.has(directory, 64))
    }

    /// Random edits through the engine, which makes a new directory where one is full or far too large, against a model.
    @Test(arguments: 1...4 as ClosedRange<UInt64>) func randomEditsFollowAModel(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let bed = EngineBed(services: 64, destinations: 4096)
        var model: [Endpoint: Set<UInt32>] = [:]
        for step in 0..<2000 {
            let endpoint = Endpoint(IPAddress(v4: 0x0a00_0001), UInt16(1 + Int.random(in: 0..<8, using: &random)))
            let address = UInt32(1 + Int.random(in: 0..<(step < 1000 ? 60 : 6), using: &random))
            let server = EngineBed.server(Endpoint(IPAddress(v4: address), 80))
            switch Int.random(in: 0..<40, using: &random) {
            case 0 where model[endpoint] != nil:
                try bed.engine.removeService(EngineBed.service(endpoint).key)
                model[endpoint] = nil
            case 1 where step % 3 == 0:
                bed.engine.removeAllServices()
                model = [:]
            case let choice:
                if model[endpoint] == nil {
                    try bed.engine.addService(EngineBed.service(endpoint))
                    model[endpoint] = []
                }
                if model[endpoint]!.contains(address) {
                    guard choice < 25 else { continue }
                    try bed.engine.removeDestination(server.key, of: EngineBed.service(endpoint).key)
                    model[endpoint]!.remove(address)
                } else {
                    try bed.engine.addDestination(server, to: EngineBed.service(endpoint).key)
                    model[endpoint]!.insert(address)
                }
            }
            bed.engine.advance(milliseconds: UInt64(step) * 1000)
            for address in 1...60 as ClosedRange<UInt32> {
                let isWanted = model.values.contains { $0.contains(address) }
                let isKnown = bed.engine.serviceTable.hasServer(
                    transportProtocol: IPProtocol.tcp, address: IPAddress(v4: address), port: 80)
                #expect(isKnown == isWanted, "step \(step), server \(address)")
            }
        }
    }
}
