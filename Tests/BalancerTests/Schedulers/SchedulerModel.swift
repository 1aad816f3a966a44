import TestSupport
import Testing
import Wire

@testable import Balancer

/// A server as a model of a scheduler sees it.
final class ModelServer {
    let address: IPAddress
    let port: UInt16
    var weight: Int
    var lastWeight: Int
    var active = 0
    var inactive = 0
    var isOverloaded = false

    init(address: IPAddress, port: UInt16, weight: Int) {
        self.address = address
        self.port = port
        self.weight = weight
        lastWeight = weight
    }

    var isUsable: Bool { weight > 0 && !isOverloaded }
    var overhead: Int { active * 256 + inactive }
}

/// A change of the list of servers, newest first, seen after it.
enum ModelChange {
    case added(ModelServer)
    case edited(ModelServer)
    case removed(ModelServer)
}

/// A scheduler's rule, written as directly as it can be said.
protocol SchedulerModel {
    init(flags: SchedulerFlags)
    mutating func changed(_ servers: [ModelServer], _ change: ModelChange)
    mutating func pick(_ servers: [ModelServer], _ request: ScheduleRequest) -> ModelServer?
}

extension SchedulerModel {
    mutating func changed(_ servers: [ModelServer], _ change: ModelChange) {}
}

/// An address as a number, without `IPAddress.folded`: the four words of IPv6 folded with xor.
func numberOf(_ address: IPAddress) -> UInt32 {
    if address.isV4 { return address.v4 }
    return [address.high >> 32, address.high, address.low >> 32, address.low]
        .reduce(UInt32(0)) { $0 ^ UInt32(truncatingIfNeeded: $1) }
}

/// A scheduler and its model side by side.
final class ModelComparison<Model: SchedulerModel> {
    let bed: SchedulerBed
    private var model: Model
    private var servers: [ModelServer] = []
    private var random: SeededRandom

    init(_ kind: SchedulerKind, flags: SchedulerFlags, seed: UInt64) {
        bed = SchedulerBed(kind, flags: flags, capacity: 1 << 16)
        model = Model(flags: flags)
        random = SeededRandom(seed: seed)
    }

    /// Random edits and picks, `steps` of them; fails at the first pick that differs.
    ///
    /// - Parameter largestWeight: weights are drawn up to it, multiplied at random so that divisors above 1 occur.
    func run(
        steps: Int, largestWeight: Int = 8, largestList: Int = 12, family: AddressFamily = .v4,
        longestPause: Tick = 500, _ location: SourceLocation = #_sourceLocation
    ) {
        var now: Tick = 1
        for step in 0..<steps {
            let action = Int.random(in: 0..<40, using: &random)
            switch action {
            case 0 where servers.count < largestList: add(family, weight: drawWeight(largestWeight))
            case 1 where !servers.isEmpty: edit(weight: drawWeight(largestWeight))
            case 2 where servers.count > 1: remove()
            case 3 where !servers.isEmpty: overload()
            case 4 where !servers.isEmpty: count()
            default:
                if servers.isEmpty { add(family, weight: drawWeight(largestWeight)) }
                let request = ScheduleRequest(
                    client: random.address(family), clientPort: UInt16(truncatingIfNeeded: random.next()),
                    virtual: IPAddress(v4: 0xcb00_7100 + UInt32.random(in: 0..<40, using: &random)), now: now,
                    random: random.next())
                now &+= Tick.random(in: 0..<longestPause, using: &random)
                let expected = model.pick(servers, request)
                let place = bed.pick(request)
                guard bed.picked(place) == expected?.address else {
                    let wanted = expected.map { "\($0.address)" } ?? "none"
                    let got = bed.picked(place).map { "\($0)" } ?? "none"
                    Issue.record(
                        "seed \(random.seed), step \(step): \(got), the model \(wanted)", sourceLocation: location)
                    return
                }
                if let place, let expected, Bool.random(using: &random) {
                    expected.active += 1
                    bed.state(place).bind(isTemplate: false, isActive: true)
                }
            }
        }
    }

    private func drawWeight(_ largest: Int) -> Int {
        let divisor = [1, 1, 2, 3, 10][Int.random(in: 0..<5, using: &random)]
        return max(Int.random(in: -largest / 4...largest, using: &random), 0) * divisor
    }

    private func add(_ family: AddressFamily, weight: Int) {
        let server = ModelServer(
            address: random.address(family), port: UInt16(truncatingIfNeeded: random.next()), weight: weight)
        servers.insert(server, at: 0)
        bed.add(server.address, port: server.port, weight: Int32(weight))
        model.changed(servers, .added(server))
    }

    private func edit(weight: Int) {
        let place = Int.random(in: servers.indices, using: &random)
        servers[place].weight = weight
        if weight != 0 { servers[place].lastWeight = weight }
        bed.edit(place, weight: Int32(weight))
        model.changed(servers, .edited(servers[place]))
    }

    private func remove() {
        let place = Int.random(in: servers.indices, using: &random)
        let server = servers.remove(at: place)
        bed.remove(place)
        model.changed(servers, .removed(server))
    }

    private func overload() {
        let place = Int.random(in: servers.indices, using: &random)
        servers[place].isOverloaded.toggle()
        bed.setOverloaded(place, servers[place].isOverloaded)
    }

    private func count() {
        let place = Int.random(in: servers.indices, using: &random)
        let wasOverloaded = servers[place].isOverloaded
        servers[place].active = Int.random(in: 0..<8, using: &random)
        servers[place].inactive = Int.random(in: 0..<40, using: &random)
        bed.setCounts(place, active: Int32(servers[place].active), inactive: Int32(servers[place].inactive))
        bed.setOverloaded(place, wasOverloaded)
    }
}
