import Balancer
import CLinuxNet
import Wire

/// A link as the kernel tells it.
struct KernelLink: Hashable {
    let index: UInt32
    let name: String
    let mac: MACAddress
    let mtu: Int
    let isUp: Bool

    /// From an `RTM_NEWLINK`; nil for another family's (a bridge's ports).
    init?(_ message: NetlinkMessage) {
        guard let header = message.payload(as: ifinfomsg.self), header.ifi_family == 0 else { return nil }
        let attributes = message.attributes(after: MemoryLayout<ifinfomsg>.size)
        guard let name = attributes[code(IFLA_IFNAME)]?.text else { return nil }
        index = UInt32(bitPattern: header.ifi_index)
        self.name = name
        mac = attributes[code(IFLA_ADDRESS)]?.mac ?? .zero
        mtu = Int(attributes[code(IFLA_MTU)]?.number(as: UInt32.self) ?? 0)
        let needed = UInt32(CLinuxNet_IFF_UP | CLinuxNet_IFF_RUNNING)
        isUp = header.ifi_flags & needed == needed
    }
}

/// An interface's address as the kernel tells it.
struct KernelAddress: Hashable {
    let index: UInt32
    let address: InterfaceAddress

    /// From an `RTM_NEWADDR`; nil for one that is not usable (a duplicate, RFC 4862 §5.4).
    init?(_ message: NetlinkMessage) {
        guard let header = message.payload(as: ifaddrmsg.self),
            UInt32(header.ifa_flags) & UInt32(IFA_F_DADFAILED) == 0
        else { return nil }
        let attributes = message.attributes(after: MemoryLayout<ifaddrmsg>.size)
        // On a point-to-point link IFA_ADDRESS is the peer's, IFA_LOCAL ours; IPv6 often has only the former.
        guard let address = (attributes[code(IFA_LOCAL)] ?? attributes[code(IFA_ADDRESS)])?.address else { return nil }
        index = header.ifa_index
        self.address = InterfaceAddress(address: address, prefixLength: Int(header.ifa_prefixlen))
    }
}

/// A neighbour as the kernel tells it; `state` is `missing` when it is gone.
struct KernelNeighbor: Hashable {
    /// What it is known by.
    struct Key: Hashable {
        let index: UInt32
        let address: IPAddress
    }

    let key: Key
    let mac: MACAddress
    let state: NeighborState

    /// From an `RTM_NEWNEIGH` or `RTM_DELNEIGH`; nil for a bridge's entries, proxies and groups.
    init?(_ message: NetlinkMessage) {
        guard let header = message.payload(as: ndmsg.self), [UInt8(2), 10].contains(header.ndm_family),
            Int32(header.ndm_flags) & NTF_PROXY == 0
        else { return nil }
        let attributes = message.attributes(after: MemoryLayout<ndmsg>.size)
        guard let address = attributes[code(NDA_DST)]?.address, !address.isMulticast else { return nil }
        key = Key(index: UInt32(bitPattern: header.ndm_ifindex), address: address)
        mac = attributes[code(NDA_LLADDR)]?.mac ?? .zero
        state = message.type == Int(RTM_DELNEIGH) ? .missing : Self.state(Int32(header.ndm_state))
    }

    /// `NUD_*` as a sender sees it. Delay and probe are stale entries that are being confirmed; their address holds.
    private static func state(_ bits: Int32) -> NeighborState {
        switch bits {
        case NUD_PERMANENT, NUD_NOARP: .permanent
        case NUD_REACHABLE: .reachable
        case NUD_STALE, NUD_DELAY, NUD_PROBE: .stale
        case NUD_INCOMPLETE: .incomplete
        case NUD_FAILED: .failed
        default: .missing
        }
    }
}

/// A route as the kernel tells it, its interface by the kernel's index.
struct KernelRoute: Hashable {
    var route: Route
    let index: UInt32

    /// From an `RTM_NEWROUTE`; nil for one that is not asked: of another table than local and main, for one type of
    /// service, for groups, with a dead next hop, or a cached exception.
    init?(_ message: NetlinkMessage) {
        guard let header = message.payload(as: rtmsg.self), [UInt8(2), 10].contains(header.rtm_family),
            header.rtm_tos == 0, header.rtm_flags & UInt32(RTM_F_CLONED) == 0,
            let kind = Self.kind(Int(header.rtm_type))
        else { return nil }
        let attributes = message.attributes(after: MemoryLayout<rtmsg>.size)
        let table = attributes[code(RTA_TABLE)]?.number(as: UInt32.self) ?? UInt32(header.rtm_table)
        guard table == RT_TABLE_LOCAL.rawValue || table == RT_TABLE_MAIN.rawValue else { return nil }

        let isV4 = header.rtm_family == 2
        let destination = attributes[code(RTA_DST)]?.address ?? (isV4 ? .anyV4 : .anyV6)
        let hop: (gateway: IPAddress?, index: UInt32)
        if let paths = attributes[code(RTA_MULTIPATH)] {
            let dead = UInt8(RTNH_F_DEAD)
            guard let path = paths.nextHops.first(where: { $0.hop.rtnh_flags & dead == 0 }) else { return nil }
            hop = (Self.gateway(path.attributes), UInt32(bitPattern: path.hop.rtnh_ifindex))
        } else {
            guard header.rtm_flags & UInt32(RTNH_F_DEAD) == 0 else { return nil }
            hop = (Self.gateway(attributes), attributes[code(RTA_OIF)]?.number() ?? 0)
        }
        let mtu = attributes[code(RTA_METRICS)]?.nested[code(RTAX_MTU)]?.number(as: UInt32.self) ?? 0
        index = hop.index
        route = Route(
            destination: destination, prefixLength: Int(header.rtm_dst_len), kind: kind, gateway: hop.gateway,
            source: attributes[code(RTA_PREFSRC)]?.address, mtu: Int(mtu),
            metric: attributes[code(RTA_PRIORITY)]?.number() ?? 0, isInLocalTable: table == RT_TABLE_LOCAL.rawValue)
    }

    private static func gateway(_ attributes: AttributeList) -> IPAddress? {
        attributes[code(RTA_GATEWAY)]?.address ?? attributes[code(RTA_VIA)]?.addressAfterFamily
    }

    private static func kind(_ type: Int) -> RouteKind? {
        switch type {
        case RTN_UNICAST: .unicast
        case RTN_LOCAL, RTN_ANYCAST: .local
        case RTN_BROADCAST: .broadcast
        case RTN_BLACKHOLE: .blackhole
        case RTN_UNREACHABLE: .unreachable
        case RTN_PROHIBIT: .prohibit
        case RTN_THROW: .missing
        default: nil
        }
    }
}
