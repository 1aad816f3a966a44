public import Wire

/// An address of an interface and the length of its subnet's prefix.
public struct InterfaceAddress: Hashable, Sendable {
    /// The address.
    public var address: IPAddress
    /// Bits of it that name the subnet: 0...32 or 0...128.
    public var prefixLength: Int

    /// From address and prefix length.
    public init(address: IPAddress, prefixLength: Int) {
        self.address = address
        self.prefixLength = prefixLength
    }

    /// Whether `other` lies in the subnet.
    public func contains(_ other: IPAddress) -> Bool {
        address.family == other.family && other.masked(prefixLength) == address.masked(prefixLength)
    }
}

extension InterfaceAddress: CustomStringConvertible, LosslessStringConvertible {
    /// From `10.0.2.1/24`, or `10.0.2.1` for the whole address; nil for anything else.
    public init?(_ text: String) {
        guard let (address, length) = parsePrefix(text[...]) else { return nil }
        self.init(address: address, prefixLength: length)
    }

    /// As `10.0.2.1/24`.
    public var description: String { "\(address)/\(prefixLength)" }
}

/// An interface the director is attached to, as the control side sees it.
public struct NetworkInterface: Hashable, Sendable {
    /// Its place among the director's interfaces, from 0: what `Frame.interface` and routes name.
    public var slot: Int
    /// Its name.
    public var name: String
    /// The kernel's index of it; 0 when there is no such interface (yet or any more, or in a recording).
    public var kernelIndex: UInt32
    /// Its Ethernet address.
    public var mac: MACAddress
    /// Largest IP packet in bytes.
    public var mtu: Int
    /// Its addresses, primary ones first, as the kernel lists them.
    public var addresses: [InterfaceAddress]
    /// Whether it is up and has a carrier.
    public var isUp: Bool
    /// Whether the host would send ICMP redirects there (`net.ipv4.conf.*.send_redirects`).
    public var sendsRedirects: Bool

    /// From its parts.
    public init(
        slot: Int, name: String, kernelIndex: UInt32 = 0, mac: MACAddress, mtu: Int = 1500,
        addresses: [InterfaceAddress] = [], isUp: Bool = true, sendsRedirects: Bool = true
    ) {
        self.slot = slot
        self.name = name
        self.kernelIndex = kernelIndex
        self.mac = mac
        self.mtu = mtu
        self.addresses = addresses
        self.isUp = isUp
        self.sendsRedirects = sendsRedirects
    }

    /// The routes the kernel makes for the interface's addresses: each address and its broadcast address in the local
    /// table, the subnet in the main table (`net/ipv4/fib_frontend.c`, `fib_add_ifaddr`).
    public var connectedRoutes: [Route] {
        var routes: [Route] = []
        for entry in addresses {
            let (address, length) = (entry.address, entry.prefixLength)
            let bits = address.family.bits
            routes.append(
                Route(
                    destination: address, prefixLength: bits, kind: .local, interface: slot,
                    source: address.isV4 ? address : nil))
            guard length < bits else { continue }
            routes.append(
                Route(
                    destination: address.masked(length), prefixLength: length, kind: .unicast, interface: slot,
                    source: address.isV4 ? address : nil, metric: address.isV4 ? 0 : 256))
            if address.isV4, length < 31 {
                let last = IPAddress(v4: address.v4 | UInt32.max >> UInt32(length))
                routes.append(
                    Route(destination: last, prefixLength: 32, kind: .broadcast, interface: slot, source: address))
            }
        }
        return routes
    }

    /// The address that packets of the director's own carry when they leave here for `nextHop`: the first of the subnet
    /// it is in, else the first one (`net/ipv4/devinet.c`, `inet_select_addr`); for IPv6 the one that has the longest
    /// prefix in common, link-local ones only for link-local ones (RFC 6724 §5, rules 2 and 8).
    public func source(for nextHop: IPAddress) -> IPAddress? {
        let family = addresses.lazy.map(\.address).filter { $0.family == nextHop.family }
        if nextHop.isV4 {
            return addresses.first { $0.contains(nextHop) }?.address ?? family.first
        }
        let scoped = family.filter { $0.isLinkLocalV6 == nextHop.isLinkLocalV6 }
        func common(_ address: IPAddress) -> Int {
            let high = (address.high ^ nextHop.high).leadingZeroBitCount
            return high < 64 ? high : 64 + (address.low ^ nextHop.low).leadingZeroBitCount
        }
        var best: IPAddress?
        for address in scoped where best.map({ common(address) > common($0) }) ?? true { best = address }
        return best ?? family.first
    }
}

/// What the packet path needs to know of an interface.
public struct InterfaceFacts: Hashable, Sendable, BitwiseCopyable {
    /// Its Ethernet address.
    public let mac: MACAddress
    /// Largest IP packet in bytes; 0 for an interface that is not there.
    public let mtu: Int
    /// Its first IPv4 address, 0.0.0.0 when it has none.
    public let sourceV4: IPAddress
    /// Its first IPv6 address that is not link-local, else its link-local one, `::` when it has none.
    public let sourceV6: IPAddress
    /// Whether it is up.
    public let isUp: Bool
    /// Whether the host would send ICMP redirects there.
    public let sendsRedirects: Bool

    /// What an unknown slot gives.
    @inlinable @inline(__always) @_noAllocation @_noLocks
    public init() {
        mac = MACAddress(bits: 0)
        mtu = 0
        sourceV4 = IPAddress(v4: 0)
        sourceV6 = IPAddress(high: 0, low: 0)
        isUp = false
        sendsRedirects = false
    }

    /// From the control side's value.
    public init(_ interface: NetworkInterface) {
        mac = interface.mac
        mtu = interface.mtu
        let addresses = interface.addresses.map(\.address)
        sourceV4 = addresses.first { $0.isV4 } ?? .anyV4
        sourceV6 = addresses.first { !$0.isV4 && !$0.isLinkLocalV6 } ?? addresses.first { !$0.isV4 } ?? .anyV6
        isUp = interface.isUp
        sendsRedirects = interface.sendsRedirects
    }

    /// The director's own address there in one family; unspecified when it has none.
    @inlinable @inline(__always)
    public func source(_ family: AddressFamily) -> IPAddress { family == .v4 ? sourceV4 : sourceV6 }
}
