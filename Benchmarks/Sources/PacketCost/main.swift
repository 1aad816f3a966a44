@preconcurrency import Glibc
import Traffic

// What a packet costs in memory. As `scripts/instructions` and docs/performance.md use it:
//
//     PacketCost PATH [--transport udp|tcp] [--flows N] [--services N] [--destinations N] [--packets N] [--rounds N]
//                     [--pool N] [--due N] [--latency 1] [--serve 1]
//
// With --rounds, times that many rounds of both the floor (copying the frames) and the path, in turn, and prints
// nanoseconds per packet; without, runs --packets once and prints nothing, for callgrind. --due adds so many UDP
// connections that are all due when running begins. With --latency, times each batch, beside the same without --due. With --serve, a
// round for each line of standard input (`scripts/growth`).

func fail(_ message: String) -> Never {
    fputs("PacketCost: \(message)\n", stderr)
    exit(64)
}

func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

var arguments = CommandLine.arguments.dropFirst()
guard let name = arguments.popFirst(), let path = TrafficPath(rawValue: name) else {
    fail("first say one of \(TrafficPath.allCases.map(\.rawValue).joined(separator: " "))")
}
var transport = TrafficTransport.udp
var numbers = [
    "--flows": 1000, "--services": 1, "--destinations": 3, "--packets": 1_000_000, "--rounds": 0, "--pool": 65_536,
    "--due": 0, "--latency": 0, "--serve": 0,
]
while let option = arguments.popFirst() {
    guard let value = arguments.popFirst() else { fail("\(option) needs a value") }
    if option == "--transport", let named = TrafficTransport(rawValue: value) {
        transport = named
    } else if numbers[option] != nil, let number = Int(value), number >= 0 {
        numbers[option] = number
    } else {
        fail("what is \(option) \(value)?")
    }
}

let flows = max(numbers["--flows"] ?? 1, 1)
let due = numbers["--due"] ?? 0
let services = numbers["--services"] ?? 1
let destinations = numbers["--destinations"] ?? 3
guard (1...5000).contains(services) else { fail("--services takes 1 to 5000") }
guard (1...1000).contains(destinations) else { fail("--destinations takes 1 to 1000") }
guard services * destinations <= 1 << 16 else { fail("more than 65536 destinations in all") }
guard path != .open || transport == .udp && due == 0 else { fail("open goes with --transport udp and without --due") }
guard !path.isV6 || transport == .udp else { fail("\(path.rawValue) goes with --transport udp") }
guard due == 0 || transport == .udp else { fail("--due goes with --transport udp") }
if numbers["--latency"] != 0 {
    try showLatency(path, transport, flows: flows, pool: numbers["--pool"], due: due, rounds: numbers["--rounds"] ?? 0)
    exit(0)
}
let traffic = try Traffic(
    path, transport, flows: flows, services: services, destinations: destinations, pool: numbers["--pool"], due: due)
let batches = max((numbers["--packets"] ?? 0) / Traffic.batch, 1)
let rounds = numbers["--rounds"] ?? 0

if numbers["--serve"] != 0 {
    serve(traffic, batches: batches)
} else if rounds == 0 {
    traffic.run(batches: batches)
} else {
    func time(_ body: () -> Void) -> Double {
        let began = nanoseconds()
        body()
        return Double(nanoseconds() - began) / Double(batches * Traffic.batch)
    }
    func text(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
    var floors: [Double] = []
    var costs: [Double] = []
    traffic.run(batches: batches)
    for _ in 0..<rounds {
        floors.append(time { traffic.copy(batches: batches) })
        costs.append(time { traffic.run(batches: batches) })
    }
    let ratios = zip(costs, floors).map { $0 / $1 }.sorted()
    floors.sort()
    costs.sort()
    let middle = rounds / 2
    let hundredths = Int((ratios[middle] * 100).rounded())
    print(
        "\(path.rawValue) \(transport.rawValue) flows \(numbers["--flows"] ?? 0):",
        "copy \(text(floors[middle])) (\(text(floors[0]))) ns, copy and path \(text(costs[middle])) (\(text(costs[0]))) ns",
        "median (minimum) of \(rounds), ratio \(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
    )
}
guard traffic.completed == traffic.received else {
    fputs("PacketCost: of \(traffic.received) frames only \(traffic.completed) ended as they should\n", stderr)
    exit(1)
}
if path == .open {
    let opened = traffic.spread().connections
    guard opened == traffic.received else {
        fputs("PacketCost: of \(traffic.received) frames only \(opened) opened a connection\n", stderr)
        exit(1)
    }
}
