public import Balancer
public import Wire

/// Packets that wait until their next hop's MAC is known: a bounded number, for a bounded time. One worker's.
///
/// With each packet waits the error that its sender gets if the next hop never answers, written when the packet was
/// queued, since by then it may have been rewritten.
@safe
public struct NeighborQueue: ~Copyable {
    /// Most packets that wait.
    public static var capacity: Int { 64 }
    /// Ticks that a packet waits: the kernel's three probes, a second apart.
    public static var patience: Tick { 3 &* Ticks.perSecond }
    private static var slotBytes: Int { Frame.headroom &+ 66_048 }
    private static var errorBytes: Int { Frame.headroom &+ 1_408 }

    struct Waiting {
        var frame: Frame
        var error: Frame
        var errorRoute: RouteResult
        var hasError: Bool
        /// Slots of the service and the destination that count the error as the server's.
        var errorSlots: (service: UInt32, destination: UInt32)?
        var route: RouteResult
        var deadline: Tick
        /// Received frames that end with this one: none of a frame that we made.
        var ends: Int
        var isUsed: Bool
    }

    /// A neighbour that is wanted.
    public struct Want: Hashable, Sendable {
        /// Interface slot.
        public let interface: Int
        /// Its address.
        public let address: IPAddress
    }

    private let slots: UnsafeMutablePointer<Waiting>
    private let memory: UnsafeMutableRawPointer
    /// Packets that wait.
    public private(set) var count = 0
    /// Set when a packet was queued: somebody has to resolve `wanted`.
    public internal(set) var hasNews = false

    /// An empty queue.
    public init() {
        let stride = Self.slotBytes &+ Self.errorBytes
        unsafe memory = .allocate(byteCount: stride &* Self.capacity, alignment: 64)
        unsafe slots = .allocate(capacity: Self.capacity)
        for place in 0..<Self.capacity {
            let base = unsafe memory + place &* stride
            let route = RouteResult(
                kind: .unreachable, nextHop: .anyV4, hasGateway: false, interface: -1, source: .anyV4, mtu: 0)
            unsafe (slots + place).initialize(
                to: Waiting(
                    frame: Frame(buffer: base, capacity: Self.slotBytes),
                    error: Frame(buffer: base + Self.slotBytes, capacity: Self.errorBytes), errorRoute: route,
                    hasError: false, errorSlots: nil, route: route, deadline: 0, ends: 0, isUsed: false))
        }
    }

    deinit {
        unsafe slots.deallocate()
        unsafe memory.deallocate()
    }

    /// A free place; nil when as many packets wait as may.
    mutating func reserve(_ route: RouteResult, now: Tick) -> Int? {
        for place in 0..<Self.capacity where unsafe !slots[place].isUsed {
            unsafe slots[place].isUsed = true
            unsafe slots[place].hasError = false
            unsafe slots[place].route = route
            unsafe slots[place].deadline = now &+ Self.patience
            count &+= 1
            hasNews = true
            return place
        }
        return nil
    }

    /// Give back a place that was reserved.
    mutating func cancel(_ place: Int) {
        unsafe slots[place].isUsed = false
        count &-= 1
    }

    /// Where the error of `place` is to be written, from the first byte of its Ethernet header.
    func errorBytes(_ place: Int) -> PacketBytes { unsafe slots[place].error.writable }

    mutating func setError(
        _ place: Int, length: Int, route: RouteResult, slots counted: (service: UInt32, destination: UInt32)?
    ) {
        unsafe slots[place].error.start = Frame.headroom
        unsafe slots[place].error.length = length
        unsafe slots[place].error.interface = route.interface
        unsafe slots[place].errorRoute = route
        unsafe slots[place].errorSlots = counted
        unsafe slots[place].hasError = true
    }

    /// Set the 16 bits at `offset` of the packet that the error of `place` quotes.
    func patchQuote(_ place: Int, isV4: Bool, at offset: Int, with value: UInt16) {
        guard unsafe slots[place].hasError else { return }
        let network = unsafe slots[place].error.bytes.dropping(EthernetHeader.length)
        let start = isV4 ? IPv4Header.minimumLength : IPv6Header.length
        guard start &+ ICMPHeader.length &+ offset &+ 2 <= network.count else { return }
        network.store(value, start &+ ICMPHeader.length &+ offset)
        if isV4 {
            ICMPHeader(unchecked: network.dropping(start)).fillChecksum()
        } else {
            let header = IPv6Header(unchecked: network)
            ICMPv6Header(unchecked: network.dropping(start)).fillChecksum(
                source: header.source, destination: header.destination)
        }
    }

    /// Keep a copy of `frame`, with which `ends` received frames end, at `place`. False when it is too long.
    mutating func fill(_ place: Int, with frame: Frame, ends: Int) -> Bool {
        unsafe slots[place].frame.start = Frame.headroom
        unsafe slots[place].frame.length = 0
        guard unsafe frame.length <= slots[place].frame.writable.count else { return false }
        unsafe slots[place].frame.writable.copy(from: frame.bytes)
        unsafe slots[place].frame.length = frame.length
        unsafe slots[place].frame.interface = frame.interface
        unsafe slots[place].frame.offload = frame.offload
        unsafe slots[place].ends = ends
        return true
    }

    /// The neighbours that packets wait for, oldest first. Control side of the worker: it allocates.
    public func wanted() -> [Want] {
        var list: [Want] = []
        for place in 0..<Self.capacity where unsafe slots[place].isUsed {
            let want = unsafe Want(
                interface: slots[place].route.interface, address: slots[place].route.nextHop)
            if !list.contains(want) { list.append(want) }
        }
        return list
    }

    /// Send what can be sent now, and answer what has waited too long.
    mutating func expire(
        now: Tick, _ outbox: inout Outbox, _ routing: RoutingView, _ counters: EndRow,
        services: TrafficRow, destinations: TrafficRow
    ) {
        guard count > 0 else { return }
        for place in 0..<Self.capacity where unsafe slots[place].isUsed {
            let route = unsafe slots[place].route
            let neighbor = routing.neighbor(interface: route.interface, address: route.nextHop)
            let ends = unsafe slots[place].ends
            if neighbor.isUsable {
                let frame = unsafe slots[place].frame
                Ethernet.address(frame.bytes, from: routing.interface(route.interface).mac, to: neighbor.mac)
                if outbox.sendCopy(frame) { counters.count(.forward, ends) } else { counters.count(.noBuffer, ends) }
            } else if !Ticks.isBefore(now, unsafe slots[place].deadline) || neighbor.state == .failed {
                counters.count(.noNeighbor, ends)
                if unsafe slots[place].hasError, sendError(place, &outbox, routing) {
                    counters.countMade()
                    if let counted = unsafe slots[place].errorSlots {
                        let length = unsafe slots[place].error.length &- EthernetHeader.length
                        services.countOut(counted.service, bytes: length)
                        destinations.countOut(counted.destination, bytes: length)
                    }
                }
            } else {
                continue
            }
            counters.wait(-ends)
            cancel(place)
        }
    }

    private func sendError(_ place: Int, _ outbox: inout Outbox, _ routing: RoutingView) -> Bool {
        let error = unsafe slots[place].error
        let back = unsafe slots[place].errorRoute
        let hop = routing.neighbor(interface: back.interface, address: back.nextHop)
        guard hop.isUsable else { return false }
        Ethernet.address(error.bytes, from: routing.interface(back.interface).mac, to: hop.mac)
        return outbox.sendCopy(error)
    }
}

/// Writing of Ethernet addresses.
enum Ethernet {
    static func address(_ bytes: PacketBytes, from source: MACAddress, to destination: MACAddress) {
        let header = EthernetHeader(unchecked: bytes)
        header.source = source
        header.destination = destination
    }
}

extension Outbox {
    /// A copy of `frame`, whose memory is about to be used for something else.
    mutating func copy(_ frame: Frame) -> Frame? {
        guard var copy = make(frame.length) else { return nil }
        copy.writable.copy(from: frame.bytes)
        copy.length = frame.length
        copy.interface = frame.interface
        copy.offload = frame.offload
        return copy
    }

    /// Send a copy of `frame`.
    mutating func sendCopy(_ frame: Frame) -> Bool {
        guard let copy = copy(frame) else { return false }
        return send(copy)
    }
}
