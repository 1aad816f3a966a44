import Balancer
import Wire

/// Writes the program of a `SocketFilter`: reads a frame's headers into scratch words, then looks up destination and source.
struct FilterProgram {
    /// Scratch words. IPv4 uses the first word of an address only.
    private enum Scratch {
        static let destinationKey: UInt32 = 0
        static let sourceKey: UInt32 = 1
        static let destination: UInt32 = 4
        static let source: UInt32 = 8
    }

    /// Offsets in a frame; those of IPv4's transport header are relative to the IPv4 header's length.
    private enum Offset {
        static let etherType: UInt32 = 12
        static let network: UInt32 = 14
        static let transport6: UInt32 = 54
    }

    private let destinations: FilterTable
    private let sources: FilterTable
    private let marked: [MarkRule]
    private let step: SocketFilter.Step
    private var assembler = FilterAssembler()
    private let accept: FilterAssembler.Label
    private let reject: FilterAssembler.Label

    init(destinations: FilterTable, sources: FilterTable, marked: [MarkRule], step: SocketFilter.Step) {
        self.marked = marked
        self.destinations = destinations
        self.sources = sources
        self.step = step
        accept = assembler.label()
        reject = assembler.label()
    }

    /// The instructions.
    consuming func assembled() -> [FilterInstruction] {
        let arp = assembler.label()
        let v4 = assembler.label()
        let v6 = assembler.label()
        let lookup4 = assembler.label()
        assembler.emit(FilterOperation.loadByte, FilterOperation.hasVLANTag)
        assembler.branch(FilterOperation.isEqual, 0, whenFalse: reject)
        // PACKET_OTHERHOST is 3, PACKET_OUTGOING 4.
        assembler.emit(FilterOperation.loadByte, FilterOperation.packetType)
        assembler.branch(FilterOperation.isAtLeast, 3, whenTrue: reject)
        assembler.emit(FilterOperation.loadHalf, Offset.etherType)
        assembler.branch(FilterOperation.isEqual, UInt32(EtherType.ipv4), whenTrue: v4)
        assembler.branch(FilterOperation.isEqual, UInt32(EtherType.ipv6), whenTrue: v6)
        assembler.branch(FilterOperation.isEqual, UInt32(EtherType.arp), whenTrue: arp, whenFalse: reject)
        readARP(arp, lookup: lookup4)
        readIPv4(v4, lookup: lookup4)
        lookup(lookup4, family: .v4)
        let lookup6 = assembler.label()
        readIPv6(v6, lookup: lookup6)
        lookup(lookup6, family: .v6)
        assembler.place(accept)
        assembler.emit(FilterOperation.end, SocketFilter.keptBytes)
        assembler.place(reject)
        assembler.emit(FilterOperation.end, 0)
        return assembler.assembled()
    }

    private mutating func setKeys(destination: UInt32, source: UInt32) {
        assembler.emit(FilterOperation.loadConstant, destination)
        assembler.emit(FilterOperation.store, Scratch.destinationKey)
        if source != destination { assembler.emit(FilterOperation.loadConstant, source) }
        assembler.emit(FilterOperation.store, Scratch.sourceKey)
    }

    private mutating func copyWords(_ count: UInt32, from offset: UInt32, to scratch: UInt32, isIndexed: Bool = false) {
        let load = isIndexed ? FilterOperation.loadWordIndexed : FilterOperation.loadWord
        for word in 0..<count {
            assembler.emit(load, offset + 4 * word)
            assembler.emit(FilterOperation.store, scratch + word)
        }
    }

    /// Requests only: operation (20), target address (38) (RFC 826).
    private mutating func readARP(_ entry: FilterAssembler.Label, lookup: FilterAssembler.Label) {
        assembler.place(entry)
        assembler.emit(FilterOperation.loadHalf, Offset.network + 6)
        assembler.branch(FilterOperation.isEqual, 1, whenFalse: reject)
        copyWords(1, from: Offset.network + 24, to: Scratch.destination)
        assembler.emit(FilterOperation.store, Scratch.source)
        setKeys(destination: FilterKey.resolution, source: FilterKey.other)
        assembler.jump(lookup)
    }

    private mutating func readIPv4(_ entry: FilterAssembler.Label, lookup: FilterAssembler.Label) {
        let fragment = assembler.label()
        let ports = assembler.label()
        let icmp = assembler.label()
        let other = assembler.label()
        assembler.place(entry)
        copyWords(1, from: Offset.network + 12, to: Scratch.source)
        copyWords(1, from: Offset.network + 16, to: Scratch.destination)
        // More fragments, or an offset.
        assembler.emit(FilterOperation.loadHalf, Offset.network + 6)
        assembler.branch(FilterOperation.hasAnyBit, 0x3fff, whenTrue: fragment)
        assembler.emit(FilterOperation.loadByte, Offset.network + 9)
        branchToPorts(ports)
        assembler.branch(FilterOperation.isEqual, UInt32(IPProtocol.icmp), whenTrue: icmp)

        assembler.place(other)
        setKeys(destination: FilterKey.other, source: FilterKey.other)
        assembler.jump(lookup)

        assembler.place(fragment)
        setKeys(destination: FilterKey.address, source: FilterKey.address)
        assembler.jump(lookup)

        let tooShort = assembler.label()
        assembler.place(ports)
        branchUnlessLong(4, otherwise: tooShort)
        assembler.emit(FilterOperation.loadHalfIndexed, Offset.network)
        assembler.emit(FilterOperation.store, Scratch.sourceKey)
        assembler.emit(FilterOperation.loadHalfIndexed, Offset.network + 2)
        assembler.emit(FilterOperation.store, Scratch.destinationKey)
        addProtocolToKeys(at: Offset.network + 9)
        assembler.jump(lookup)
        assembler.place(tooShort)
        setKeys(destination: FilterKey.other, source: FilterKey.other)
        assembler.jump(lookup)

        readICMP(icmp, lookup: lookup)
    }

    private mutating func branchToPorts(_ ports: FilterAssembler.Label) {
        for number in [IPProtocol.tcp, IPProtocol.udp, IPProtocol.sctp] {
            assembler.branch(FilterOperation.isEqual, UInt32(number), whenTrue: ports)
        }
    }

    /// X = the IPv4 header's length; go to `otherwise` unless `count` bytes follow it.
    private mutating func branchUnlessLong(_ count: UInt32, otherwise: FilterAssembler.Label) {
        assembler.emit(FilterOperation.loadHeaderLength, Offset.network)
        assembler.emit(FilterOperation.loadLength)
        assembler.emit(FilterOperation.subtractIndex)
        // A frame shorter than the header makes a negative, that is a huge, number: all loads behind it fail then, and a
        // failing load rejects.
        assembler.branch(FilterOperation.isAtLeast, Offset.network + count, whenFalse: otherwise)
    }

    /// Both keys hold a port: put the protocol found at `offset` in front.
    private mutating func addProtocolToKeys(at offset: UInt32) {
        assembler.emit(FilterOperation.loadByte, offset)
        assembler.emit(FilterOperation.shiftLeft, 16)
        assembler.emit(FilterOperation.moveToIndex)
        for key in [Scratch.destinationKey, Scratch.sourceKey] {
            assembler.emit(FilterOperation.loadScratch, key)
            assembler.emit(FilterOperation.orIndex)
            assembler.emit(FilterOperation.store, key)
        }
    }

    /// Matches by destination, or by the quoted destination of an error (RFC 792): types 3, 4, 11, 12.
    private mutating func readICMP(_ entry: FilterAssembler.Label, lookup: FilterAssembler.Label) {
        let error = assembler.label()
        assembler.place(entry)
        setKeys(destination: FilterKey.address, source: FilterKey.other)
        branchUnlessLong(8 + 20, otherwise: lookup)
        assembler.emit(FilterOperation.loadByteIndexed, Offset.network)
        for type: UInt32 in [3, 4, 11, 12] { assembler.branch(FilterOperation.isEqual, type, whenTrue: error) }
        assembler.jump(lookup)
        assembler.place(error)
        copyWords(1, from: Offset.network + 8 + 16, to: Scratch.source, isIndexed: true)
        assembler.emit(FilterOperation.loadConstant, FilterKey.quoted)
        assembler.emit(FilterOperation.store, Scratch.sourceKey)
        assembler.jump(lookup)
    }

    private mutating func readIPv6(_ entry: FilterAssembler.Label, lookup: FilterAssembler.Label) {
        let ports = assembler.label()
        let icmp = assembler.label()
        assembler.place(entry)
        copyWords(4, from: Offset.network + 8, to: Scratch.source)
        copyWords(4, from: Offset.network + 24, to: Scratch.destination)
        assembler.emit(FilterOperation.loadByte, Offset.network + 6)
        branchToPorts(ports)
        assembler.branch(FilterOperation.isEqual, UInt32(IPProtocol.icmpv6), whenTrue: icmp)
        // Extension headers, fragments, other protocols: ports are out of reach.
        setKeys(destination: FilterKey.address, source: FilterKey.address)
        assembler.jump(lookup)

        let tooShort = assembler.label()
        assembler.place(ports)
        assembler.emit(FilterOperation.loadLength)
        assembler.branch(FilterOperation.isAtLeast, Offset.transport6 + 4, whenFalse: tooShort)
        assembler.emit(FilterOperation.loadHalf, Offset.transport6)
        assembler.emit(FilterOperation.store, Scratch.sourceKey)
        assembler.emit(FilterOperation.loadHalf, Offset.transport6 + 2)
        assembler.emit(FilterOperation.store, Scratch.destinationKey)
        addProtocolToKeys(at: Offset.network + 6)
        assembler.jump(lookup)
        assembler.place(tooShort)
        setKeys(destination: FilterKey.other, source: FilterKey.other)
        assembler.jump(lookup)

        readICMPv6(icmp, lookup: lookup)
    }

    /// Solicitations (type 135, RFC 4861 §4.3) by target alone; errors (1 to 4, RFC 4443 §2.1) also by quoted destination.
    private mutating func readICMPv6(_ entry: FilterAssembler.Label, lookup: FilterAssembler.Label) {
        let solicitation = assembler.label()
        let error = assembler.label()
        assembler.place(entry)
        setKeys(destination: FilterKey.address, source: FilterKey.other)
        assembler.emit(FilterOperation.loadLength)
        assembler.branch(FilterOperation.isGreater, Offset.transport6, whenFalse: lookup)
        assembler.emit(FilterOperation.loadByte, Offset.transport6)
        assembler.branch(FilterOperation.isEqual, 135, whenTrue: solicitation)
        assembler.branch(FilterOperation.isEqual, 0, whenTrue: lookup)
        assembler.branch(FilterOperation.isGreater, 4, whenTrue: lookup, whenFalse: error)

        assembler.place(solicitation)
        copyWords(4, from: Offset.transport6 + 8, to: Scratch.destination)
        setKeys(destination: FilterKey.resolution, source: FilterKey.other)
        assembler.jump(lookup)

        assembler.place(error)
        assembler.emit(FilterOperation.loadLength)
        assembler.branch(FilterOperation.isAtLeast, Offset.transport6 + 8 + 40, whenFalse: lookup)
        copyWords(4, from: Offset.transport6 + 8 + 24, to: Scratch.source)
        assembler.emit(FilterOperation.loadConstant, FilterKey.quoted)
        assembler.emit(FilterOperation.store, Scratch.sourceKey)
        assembler.jump(lookup)
    }

    /// Accept what a rule marks, by the prefix alone of its destination, or else its source.
    private mutating func acceptMarked(_ family: AddressFamily) {
        for rule in marked {
            if let prefix = rule.destination, prefix.family == family {
                accept(prefix, rule.destinationLength, address: Scratch.destination)
            } else if rule.destination == nil, let prefix = rule.source, prefix.family == family {
                accept(prefix, rule.sourceLength, address: Scratch.source)
            }
        }
    }

    /// Accept when the address in scratch words lies in a prefix: its whole words equal, the next one in a range.
    private mutating func accept(_ prefix: IPAddress, _ length: Int, address: UInt32) {
        let no = assembler.label()
        let all: [UInt64] =
            prefix.isV4
            ? [UInt64(prefix.v4)] : [prefix.high >> 32, prefix.high, prefix.low >> 32, prefix.low]
        var left = min(max(length, 0), prefix.family.bits)
        for (place, word) in all.map({ UInt32(truncatingIfNeeded: $0) }).enumerated() where left > 0 {
            assembler.emit(FilterOperation.loadScratch, address + UInt32(place))
            if left >= 32 {
                assembler.branch(FilterOperation.isEqual, word, whenFalse: no)
            } else {
                assembler.branch(FilterOperation.isAtLeast, word, whenFalse: no)
                assembler.branch(FilterOperation.isGreater, word | UInt32.max >> UInt32(left), whenTrue: no)
            }
            left -= 32
        }
        assembler.jump(accept)
        assembler.place(no)
    }

    /// Accept when the destination's keys hold the destination key, or the source's the source key; else reject.
    private mutating func lookup(_ entry: FilterAssembler.Label, family: AddressFamily) {
        let bySource = assembler.label()
        assembler.place(entry)
        acceptMarked(family)
        var tree = FilterAddressTree(
            table: destinations, family: family, step: step, address: Scratch.destination,
            key: Scratch.destinationKey)
        tree.write(to: &assembler, accept: accept, otherwise: bySource)
        assembler.place(bySource)
        tree = FilterAddressTree(
            table: sources, family: family, step: step, address: Scratch.source, key: Scratch.sourceKey)
        tree.write(to: &assembler, accept: accept, otherwise: reject)
    }
}
