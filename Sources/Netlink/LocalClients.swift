import CLinuxNet
import Glibc
import Synchronization
import SystemPackage
public import Wire

/// Has the host lead the connections that it opens itself to virtual addresses to a TUN device: a route for each address,
/// by the device, with a source address that the device alone has. The kernel removes all of it with the device.
///
/// Everything happens in the network namespace of the thread that made it; its methods may be called on any thread.
public final class LocalClients: Sendable {
    /// The address that these connections come from, of each family: of 192.0.0.0/29, which RFC 7335 sets aside for use
    /// within a host, and a unique local one (RFC 4193). No packet on a network carries them.
    public static let sources = [
        IPAddress(v4: 0xc000_0006), IPAddress(high: 0xfd66_6169_726c_6561, low: 1),
    ]

    /// The addresses that connections to a real server on the host itself come from, as that server sees them: its answers
    /// take the route by the device. On no interface; of the same ranges as `sources`.
    public static let serverSources = [
        IPAddress(v4: 0xc000_0005), IPAddress(high: 0xfd66_6169_726c_6561, low: 2),
    ]

    /// Most routes of one request: some 60 bytes each, and a socket takes 200 KB.
    private static let routesAtOnce = 500

    private let index: UInt32
    private let state: Mutex<State>

    private struct State {
        let socket: NetlinkSocket
        /// Families that the device has a source address of.
        var families: Set<AddressFamily> = []
        /// What is led to the device.
        var routed: Set<IPAddress> = []
    }

    /// Give the device its addresses. A host without IPv6 has none of that family, and no routes.
    public init(device: String) throws(NetlinkError) {
        let index = unsafe if_nametoindex(device)
        guard index != 0 else { throw .noSuchInterface(device) }
        self.index = index
        var made = State(socket: try NetlinkSocket(bus: NETLINK_ROUTE, name: "routes of local clients"))
        for source in Self.sources {
            do throws(NetlinkError) {
                try Self.give(source, to: index, made.socket)
                made.families.insert(source.family)
            } catch {
                guard !source.isV4 else { throw error }
            }
        }
        let reached = Self.serverSources.filter { made.families.contains($0.family) }
        try Self.route(Int(RTM_NEWROUTE), reached[...], to: index, made.socket)
        state = Mutex(made)
    }

    private static func give(_ address: IPAddress, to index: UInt32, _ socket: NetlinkSocket) throws(NetlinkError) {
        let writer = socket.writer()
        var header = ifaddrmsg()
        header.ifa_family = UInt8(address.isV4 ? AF_INET : AF_INET6)
        header.ifa_prefixlen = UInt8(address.family.bits)
        header.ifa_flags = address.isV4 ? 0 : UInt8(IFA_F_NODAD)
        // Of use to these routes only: the host is not to choose it for other connections.
        header.ifa_scope = address.isV4 ? UInt8(RT_SCOPE_HOST.rawValue) : UInt8(RT_SCOPE_UNIVERSE.rawValue)
        header.ifa_index = index
        writer.message(Int(RTM_NEWADDR), flags: NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, header: header) {
            writer.put(code(IFA_LOCAL), address)
            writer.put(code(IFA_ADDRESS), address)
            if !address.isV4 {
                // Deprecated from the start, valid for ever (struct ifa_cacheinfo).
                writer.put(code(IFA_CACHEINFO), [0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0])
            }
        }
        try socket.request(writer, call: "give the local clients' device", object: "\(address)")
    }

    /// Lead exactly these addresses to the device.
    ///
    /// - Throws: What the kernel said first; the routes that it took are there.
    public func lead(_ addresses: Set<IPAddress>) throws(NetlinkError) {
        try change {
            $0.routed.subtracting(addresses)
        } adding: {
            addresses.subtracting($0.routed)
        }
    }

    /// Lead these addresses to the device too.
    public func lead(adding addresses: Set<IPAddress>) throws(NetlinkError) {
        try change { _ in
            []
        } adding: {
            addresses.subtracting($0.routed)
        }
    }

    private func change(
        removing: (State) -> Set<IPAddress>, adding: (State) -> Set<IPAddress>
    ) throws(NetlinkError) {
        let failure: NetlinkError? = state.withLock { state in
            let (gone, new) = (removing(state), adding(state).filter { state.families.contains($0.family) })
            state.routed = state.routed.subtracting(gone).union(new)
            var failure: NetlinkError?
            for (type, addresses) in [(RTM_DELROUTE, Array(gone)), (RTM_NEWROUTE, Array(new))] {
                for start in stride(from: 0, to: addresses.count, by: Self.routesAtOnce) {
                    let part = addresses[start..<min(start + Self.routesAtOnce, addresses.count)]
                    do throws(NetlinkError) {
                        try Self.route(Int(type), part, to: index, state.socket)
                    } catch {
                        failure = failure ?? error
                    }
                }
            }
            return failure
        }
        if let failure { throw failure }
    }

    private static func route(
        _ type: Int, _ addresses: ArraySlice<IPAddress>, to index: UInt32, _ socket: NetlinkSocket
    ) throws(NetlinkError) {
        let writer = socket.writer()
        let flags = type == Int(RTM_NEWROUTE) ? NLM_F_CREATE | NLM_F_EXCL : 0
        for (place, address) in zip(addresses.indices, addresses) {
            var header = rtmsg()
            header.rtm_family = UInt8(address.isV4 ? AF_INET : AF_INET6)
            header.rtm_dst_len = UInt8(address.family.bits)
            header.rtm_table = UInt8(RT_TABLE_MAIN.rawValue)
            header.rtm_protocol = UInt8(RTPROT_STATIC)
            header.rtm_scope = UInt8((address.isV4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE).rawValue)
            header.rtm_type = UInt8(RTN_UNICAST)
            // One answer for all of them, but for those that are refused.
            let answer = place == addresses.indices.last ? NLM_F_ACK : 0
            writer.message(type, flags: flags | answer, header: header) {
                writer.put(code(RTA_DST), address)
                writer.put(code(RTA_OIF), index)
                if let source = sources.first(where: { $0.family == address.family }) {
                    writer.put(code(RTA_PREFSRC), source)
                }
            }
        }
        guard let first = addresses.first else { return }
        try socket.request(writer, call: "lead the host's own connections to", object: "\(first) and others")
    }
}
