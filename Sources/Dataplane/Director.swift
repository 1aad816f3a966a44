public import Balancer
public import Wire

/// One worker's pipeline: takes a batch of received frames and leaves in its outbox what is to be sent, having decided
/// for each frame whether it is forwarded, left to the host, answered or dropped.
///
/// No system call, no lock, no allocation; the clock and the snapshots are handed in, so that equal input gives equal
/// output. Used by one thread.
public struct Director: ~Copyable {
    /// What workers share.
    let table: ConnectionTable
    let slots: StateSlots
    let settings: SettingsView
    let sourceRates: SourceRates
    let engine: EngineView
    /// Keep alive what the handles point to.
    private let owners: (Engine, EndCounters)
    let serviceRow: TrafficRow
    let destinationRow: TrafficRow
    let worker: UInt8
    /// What is sent.
    public var outbox = Outbox()
    /// How frames ended.
    let counters: EndRow
    /// Packets that wait for their next hop's MAC.
    public var neighborQueue = NeighborQueue()
    /// Where `explain` is told; nil: nobody asked.
    public var trace: DecisionTrace? {
        get { isTraced ? facts : nil }
        set {
            isTraced = newValue != nil
            if let newValue { facts = newValue }
        }
    }
    var isTraced = false
    /// Packets that went the short way.
    var wentShortWay: UInt64 = 0
    let glimpses = Glimpses()
    var hops = HopCache()
    private var facts = DecisionTrace()

    var expiry: Expiry
    let participant: Participant
    /// Of the batch: the clock, the services, the routes.
    var now: Tick = 0
    var services: ServiceTableView
    var routing: RoutingView
    var flushesDone: UInt32
    var flushCursor: UInt32
    var flushEnd: UInt32
    var defense = DefenseProgress()
    var random: UInt64
    var identification: UInt16 = 1
    var lastRedirect: Tick?
    /// The finished entry whose place in the table the packet at hand's new one takes; nil: none.
    var replaced: ConnectionEntry?
    /// Datagrams whose fragments have not all come.
    var fragments = Fragments()
    /// The complete datagram that the packet at hand is, a place in `fragments`; nil: it came in one piece.
    var datagramAtHand: Int?
    /// Received frames that end with the packet at hand.
    var framesAtHand = 1
    /// What routers said of the ways to tunnel destinations.
    var pathMTUs = PathMTUCache()
    /// Whether nobody else answers for the host's addresses, as in a replay: live, the host's stack has its own copies.
    public var isWholeHost = false
    /// Where frames for the host's own stack go that it has no copy of, a slot behind the interfaces'; -1: nowhere.
    public var hostSlot = -1
    /// The slot by which connections come that the host itself opens; -1: none.
    public var localClientSlot = -1
    /// Interfaces, a bit each by slot, whose ports do not take super-frames.
    public var slotsWithoutSuperFrames: UInt64 = 0
    /// Interfaces, a bit each by slot, whose ports do not take partial checksums.
    public var slotsWithoutPartialChecksums: UInt64 = 0

    /// A director for `worker` of `engine`.
    /// - Parameters:
    ///   - routing: first routes and neighbours.
    ///   - now: the clock.
    ///   - seed: for schedulers that draw; equal seeds give equal choices.
    public init(engine: Engine, worker: Int, routing: RoutingView, now: Tick, seed: UInt64, counters: EndCounters) {
        self.engine = engine.view
        owners = (engine, counters)
        table = engine.table
        slots = engine.slots
        settings = engine.settings.view
        sourceRates = engine.sourceRates
        serviceRow = engine.serviceRow(worker: worker)
        destinationRow = engine.destinationRow(worker: worker)
        self.worker = UInt8(worker)
        self.counters = counters.row
        expiry = Expiry(table: engine.table, inboxes: engine.inboxes, worker: UInt8(worker), now: now)
        participant = Participant(engine.table, number: worker)
        services = engine.serviceTable
        self.routing = routing
        flushesDone = engine.view.flushCount
        flushCursor = 0
        flushEnd = 0
        random = seed
        self.now = now
        hops.follow(routing.serial)
    }

    // MARK: A batch

    /// Begin to read the shared state: before the first batch, and after `rest`.
    public mutating func resume() { participant.enter() }

    /// Nothing found is used any more until `resume`: before waiting for frames.
    public mutating func rest() { participant.leave() }

    /// Begin a batch: the snapshots and the clock that hold for all of it. Expired entries are ended, at most
    /// `Expiry.bound` of them.
    /// - Returns: whether the next batch has entries left to end, and should not wait for frames.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func begin(now: Tick, routing: RoutingView) -> Bool {
        self.now = now
        self.routing = routing
        hops.follow(routing.serial)
        expiry.reclaim(epoch: participant.quiesce())
        services = engine.services
        var budget = expiry.begin()
        while let entry = expiry.next(now: now, budget: &budget) { expire(entry) }
        flushDestinations()
        dropEntries()
        neighborQueue.expire(
            now: now, &outbox, routing, counters, services: serviceRow, destinations: destinationRow)
        endIncompleteDatagrams()
        return expiry.isBehind(now: now) || flushCursor < flushEnd || defense.entriesLeft > 0
    }

    /// Handle frames from `first` on, until all are done or the outbox is full.
    /// - Returns: the first frame that is left; `frames.count` when all are done. Send, `empty` the outbox, go on there.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func process(_ frames: UnsafeMutableBufferPointer<Frame>, from first: Int = 0) -> Int {
        let takesV4 = hasShortWay && services.countV4 > 0
        let takesV6 = hasShortWay && services.countV6 > 0
        var index = first
        while index < frames.count {
            let begin = index
            let end = min(frames.count, begin &+ Glimpses.count)
            let wide = unsafe look(frames, begin, end)
            let short = (takesV4 ? ~wide : 0) | (takesV6 ? wide : 0)
            while index < end {
                guard outbox.hasRoom else { return index }
                counters.countReceived()
                let place = index &- begin
                let glimpse = glimpses[place]
                if unsafe !glimpse.isOfOne || short &>> UInt64(place) & 1 == 0
                    || !(wide &>> UInt64(place) & 1 == 0
                        ? goShortWay(&frames[index], glimpse) : goWideShortWay(&frames[index], glimpse))
                {
                    unsafe receive(&frames[index])
                }
                index &+= 1
            }
        }
        return index
    }

    /// Ask the cache for what the frames will need: the lines of the hash of all of them, then the entries these name, then
    /// the state of their destinations and the counters: with thousands of services these are not in the near caches.
    /// `glimpses` are of nothing where a frame has no short way: it is anything but plain, or has no entry as yet.
    /// - Returns: which frames are IPv6's, a bit each.
    @inline(__always)
    private func look(_ frames: UnsafeMutableBufferPointer<Frame>, _ first: Int, _ end: Int) -> UInt64 {
        var others: UInt64 = 0
        for index in first..<end {
            var hash: UInt64 = 0
            if let key = unsafe Classify.plainV4(frames[index].bytes) {
                hash = table.hash(key)
                table.prefetch(hash)
            } else {
                others |= 1 &<< UInt64(index &- first)
            }
            glimpses[index &- first] = .of(hash)
        }
        let wide = unsafe others == 0 ? 0 : Self.lookWide(frames, first, others, table, glimpses)
        for place in 0..<(end &- first) {
            let hash = glimpses[place].hash
            if hash != 0 { glimpses[place] = table.glimpse(hash) }
        }
        for place in 0..<(end &- first) {
            let glimpse = glimpses[place]
            guard glimpse.isOfOne else { continue }
            let slot = table.entry(glimpse.index).destinationSlot
            slots.prefetchDestination(slot)
            destinationRow.prefetch(slot)
        }
        for place in 0..<(end &- first) {
            let glimpse = glimpses[place]
            guard glimpse.isOfOne else { continue }
            serviceRow.prefetch(slots.destination(table.entry(glimpse.index).destinationSlot).serviceSlot)
        }
        // Bit by bit, as most batches have none of these.
        var left = wide
        while left != 0 {
            let place = left.trailingZeroBitCount
            left &= left &- 1
            if glimpses[place].isOfOne { table.prefetchWide(glimpses[place].index) }
        }
        return wide
    }

    /// The first step of `look` for IPv6; apart, so that batches without keep their registers.
    /// - Parameter others: frames that are no plain IPv4, a bit each.
    /// - Returns: which of them are plain IPv6, likewise.
    @inline(never)
    private static func lookWide(
        _ frames: UnsafeMutableBufferPointer<Frame>, _ first: Int, _ others: UInt64, _ table: ConnectionTable,
        _ glimpses: borrowing Glimpses
    ) -> UInt64 {
        var wide: UInt64 = 0
        var left = others
        while left != 0 {
            let place = left.trailingZeroBitCount
            left &= left &- 1
            guard let key = unsafe Classify.plainV6(frames[first &+ place].bytes) else { continue }
            let hash = table.hash(key)
            table.prefetch(hash)
            glimpses[place] = .of(hash)
            wide |= 1 &<< UInt64(place)
        }
        return wide
    }

    /// Note a fact for `explain`. Where nobody asked, the fact is not even made.
    @inline(__always)
    mutating func note(_ fact: @autoclosure () -> DecisionTrace.Fact) {
        if isTraced { facts.note(fact()) }
    }

    // MARK: Ends

    mutating func drop(_ reason: DropReason) {
        counters.count(reason, framesAtHand)
        note(.drop(reason))
    }

    mutating func pass(_ frame: Frame) {
        counters.count(.pass, framesAtHand)
        if let datagram = datagramAtHand { passDatagram(frame, datagram) } else { outbox.pass(frame) }
        note(.pass)
    }

    /// A number for `identification` of packets that we make.
    mutating func nextIdentification() -> UInt16 {
        identification &+= 1
        return identification
    }

    /// The next number of the seeded generator (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
    mutating func nextRandom() -> UInt64 {
        random &+= 0x9e37_79b9_7f4a_7c15
        var z = random
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
