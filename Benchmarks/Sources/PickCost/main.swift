import Balancer
@preconcurrency import Glibc
import Wire

// What a scheduler's pick costs, for docs/performance.md:
//
//     PickCost [--destinations N] [--picks N] [--rounds N]
//
// For each scheduler in turn, among N destinations with weights 1 to 4 and connections spread over them: with --rounds
// prints the median of nanoseconds per pick; without, picks once and prints nothing, for callgrind
// (`scripts/instructions --picks`), which writes its counts at each return of `measuredPicks`.

func fail(_ message: String) -> Never {
    fputs("PickCost: \(message)\n", stderr)
    exit(64)
}

func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// So many picks, each for another client; the sum of the places keeps the compiler from leaving them out.
@inline(never)
func measuredPicks(_ service: ServiceReference, _ virtual: IPAddress, _ slots: StateSlots, _ count: Int) -> Int {
    var sum = 0
    var client: UInt32 = 0xc613_0000
    for _ in 0..<count {
        client &+= 1
        let request = ScheduleRequest(
            client: IPAddress(v4: client), clientPort: 10_000, virtual: virtual, now: 0,
            random: UInt64(client) &* 0x9e37_79b9_7f4a_7c15)
        sum &+= service.record.scheduler.schedule(service, request, slots) ?? 0
    }
    return sum
}

var numbers = ["--destinations": 100, "--picks": 1000, "--rounds": 0]
var arguments = CommandLine.arguments.dropFirst()
while let option = arguments.popFirst() {
    guard let value = arguments.popFirst(), numbers[option] != nil, let number = Int(value), number >= 0 else {
        fail("what is \(option)?")
    }
    numbers[option] = number
}
let destinations = max(numbers["--destinations"] ?? 1, 1)
let picks = max(numbers["--picks"] ?? 1, 1)
let rounds = numbers["--rounds"] ?? 0

let engine = Engine(
    EngineConfiguration(entries: 1024, destinations: destinations, secret: HashSecret(1, 2)))
let virtual = IPAddress(v4: 0xc612_0a50)
let key = ServiceKey.address(transportProtocol: IPProtocol.tcp, address: virtual, port: 80)
try engine.addService(VirtualService(key: key, scheduler: .rr))
for number in 0..<destinations {
    try engine.addDestination(
        Destination(
            key: DestinationKey(address: IPAddress(v4: 0x0a00_0001 + UInt32(number)), port: 80),
            weight: Int32(number % 4) + 1), to: key)
}
for number in 0..<destinations {
    for _ in 0..<(number % 7) {
        engine.slots.destination(UInt32(number)).bind(isTemplate: false, isActive: number % 2 == 0)
    }
}
var sum = 0
for kind in SchedulerKind.allCases {
    try engine.editService(VirtualService(key: key, scheduler: kind))
    guard
        let service = engine.serviceTable.find(
            transportProtocol: IPProtocol.tcp, address: virtual, port: 80, mark: 0)
    else { fail("the service was not found") }
    if rounds == 0 {
        sum &+= measuredPicks(service, virtual, engine.slots, picks)
        continue
    }
    var times: [Double] = []
    for _ in 0..<rounds {
        let began = nanoseconds()
        sum &+= measuredPicks(service, virtual, engine.slots, picks)
        times.append(Double(nanoseconds() - began) / Double(picks))
    }
    times.sort()
    let tenths = Int((times[rounds / 2] * 10).rounded())
    print("\(kind.name) of \(destinations): \(tenths / 10).\(tenths % 10) ns a pick")
}
if sum == .min { print(sum) }
