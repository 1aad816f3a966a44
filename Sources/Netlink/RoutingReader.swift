import Balancer
import CLinuxNet
import Glibc
import SystemPackage
import Wire

/// Reads links, addresses, routes and neighbours from the kernel and follows their changes. One thread at a time.
///
/// The first socket hears of changes from before the first dump on, so that none falls between. Neighbours change
/// often and are followed one by one; links, addresses and routes are dumped anew when something was said of them,
/// since the kernel does not announce every consequence (routes that go with a link or an address).
final class RoutingReader {
    private let names: [String]
    /// The device of `LocalClients`, the last of `names`; nil: none.
    private let clients: String?
    private let events: NetlinkSocket
    private let requests: NetlinkSocket
    private var links: [KernelLink] = []
    private var addresses: [KernelAddress] = []
    private var routes: [KernelRoute] = []
    private var neighbors: [KernelNeighbor.Key: KernelNeighbor] = [:]
    private var pending = Changes.all
    private var published: Published?

    /// What was said to have changed and is not read yet.
    private struct Changes: OptionSet {
        let rawValue: Int
        static let tables = Changes(rawValue: 1)
        static let neighbors = Changes(rawValue: 2)
        /// Neighbours are to be dumped, not only to be published.
        static let neighborDump = Changes(rawValue: 4)
        static let all: Changes = [.tables, .neighbors, .neighborDump]
    }

    /// What the last snapshot was made of.
    private struct Published {
        let interfaces: [NetworkInterface]
        let routes: [Route]
        let neighbors: [Neighbor]
        let snapshot: RoutingSnapshot
    }

    /// Open the sockets in the calling thread's network namespace.
    ///
    /// - Parameters:
    ///   - names: The director's interfaces; slots are their places.
    ///   - clients: The device of `LocalClients`, which has the slot behind these. What comes by it is a client's like any
    ///     other: its addresses count as neighbours', not as the host's own, and routes by it are left out.
    init(interfaces names: [String], clients: String? = nil) throws(NetlinkError) {
        self.names = names + [clients].compactMap(\.self)
        self.clients = clients
        let groups =
            RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE
            | RTMGRP_IPV6_ROUTE
        events = try NetlinkSocket(bus: NETLINK_ROUTE, groups: groups, name: "changes of routes")
        requests = try NetlinkSocket(bus: NETLINK_ROUTE, name: "routes")
        events.enlargeBuffers(4 << 20)
    }

    /// Readable when changes wait for `drain`.
    var descriptor: Int32 { events.descriptor }

    /// The routers of the unicast routes by interfaces of ours, each once.
    var gateways: Set<NextHop> {
        Set(
            (published?.routes ?? []).compactMap { route in
                guard let gateway = route.gateway, route.kind == .unicast, route.interface >= 0 else { return nil }
                return NextHop(interface: route.interface, address: gateway)
            })
    }

    /// Whether `read` has anything to do.
    var hasChanges: Bool { !pending.isEmpty }

    /// Take what the kernel has announced, without waiting. When it had to throw announcements away, all is read anew.
    func drain() throws(NetlinkError) {
        while true {
            do {
                guard try events.receive(timeout: 0, call: "read", object: "changes of routes", notice) else { return }
            } catch {
                guard error.errno == .noBufferSpace else { throw error }
                pending = .all
            }
        }
    }

    private func notice(_ message: NetlinkMessage) {
        switch message.type {
        case Int(RTM_NEWLINK), Int(RTM_DELLINK): pending.formUnion([.tables, .neighbors, .neighborDump])
        case Int(RTM_NEWADDR), Int(RTM_DELADDR), Int(RTM_NEWROUTE), Int(RTM_DELROUTE): pending.insert(.tables)
        case Int(RTM_NEWNEIGH), Int(RTM_DELNEIGH):
            if let neighbor = KernelNeighbor(message) { take(neighbor) }
        default: break
        }
    }

    private func take(_ neighbor: KernelNeighbor) {
        if neighbor.state == .missing {
            neighbors[neighbor.key] = nil
        } else {
            neighbors[neighbor.key] = neighbor
        }
        pending.insert(.neighbors)
    }

    /// Read what has changed.
    ///
    /// - Returns: The new snapshot, or nil when nothing that matters to the director changed.
    /// - Throws: What a dump threw; the changes stay pending.
    func read() throws(NetlinkError) -> RoutingSnapshot? {
        let changes = pending
        if changes.contains(.tables) { try readTables() }
        if changes.contains(.neighborDump) { try readNeighbors() }
        pending = []
        return publish(rebuildTables: changes.contains(.tables))
    }

    private func readTables() throws(NetlinkError) {
        links = try dump(Int(RTM_GETLINK), "links", ifinfomsg(), KernelLink.init)
        addresses = try dump(Int(RTM_GETADDR), "addresses", ifaddrmsg(), KernelAddress.init)
        var v4 = rtmsg()
        v4.rtm_family = UInt8(AF_INET)
        var v6 = rtmsg()
        v6.rtm_family = UInt8(AF_INET6)
        routes = try dump(Int(RTM_GETROUTE), "IPv4 routes", v4, KernelRoute.init)
        routes += try dump(Int(RTM_GETROUTE), "IPv6 routes", v6, KernelRoute.init)
    }

    private func readNeighbors() throws(NetlinkError) {
        let all = try dump(Int(RTM_GETNEIGH), "neighbours", ndmsg(), KernelNeighbor.init)
        neighbors = Dictionary(
            all.lazy.filter { $0.state != .missing }.map { ($0.key, $0) }, uniquingKeysWith: { $1 })
    }

    /// One dump; repeated when the kernel says that it changed under way.
    private func dump<Header: BitwiseCopyable, Object>(
        _ type: Int, _ object: String, _ header: Header, _ make: (NetlinkMessage) -> Object?
    ) throws(NetlinkError) -> [Object] {
        var objects: [Object] = []
        for _ in 0..<8 {
            objects.removeAll(keepingCapacity: true)
            let writer = requests.writer()
            writer.message(type, flags: NLM_F_DUMP, header: header)
            let isConsistent = try requests.dump(writer, object: object) { message in
                if let made = make(message) { objects.append(made) }
            }
            if isConsistent { break }
        }
        return objects
    }

    private func publish(rebuildTables: Bool) -> RoutingSnapshot? {
        let interfaces = rebuildTables ? makeInterfaces() : published?.interfaces ?? makeInterfaces()
        let slots = Dictionary(
            interfaces.filter { $0.kernelIndex != 0 }.map { ($0.kernelIndex, $0.slot) },
            uniquingKeysWith: { first, _ in first })
        let clientSlot = clients == nil ? nil : names.count - 1
        let clientAddresses = clientSlot == nil ? [] : LocalClients.sources + LocalClients.serverSources
        let present =
            (neighbors.values.compactMap { neighbor -> Neighbor? in
                guard let slot = slots[neighbor.key.index], slot != clientSlot else { return nil }
                return Neighbor(
                    interface: slot, address: neighbor.key.address, mac: neighbor.mac, state: neighbor.state)
            }
            + clientAddresses.map {
                Neighbor(interface: names.count - 1, address: $0, mac: .zero, state: .permanent)
            })
            .sorted { ($0.interface, $0.address) < ($1.interface, $1.address) }

        let snapshot: RoutingSnapshot
        var kept = published?.routes ?? []
        if rebuildTables || published == nil {
            kept = routes.compactMap { kernel in
                var route = kernel.route
                route.interface = slots[kernel.index] ?? -1
                return clientSlot != nil && route.interface == clientSlot ? nil : route
            }
            kept += clientAddresses.map {
                Route(destination: $0, prefixLength: $0.family.bits, interface: names.count - 1)
            }
        }
        if let published, published.interfaces == interfaces, published.routes == kept {
            guard published.neighbors != present else { return nil }
            snapshot = published.snapshot.replacing(neighbors: NeighborTable(present))
        } else {
            snapshot = RoutingBuilder(interfaces: interfaces, routes: kept, neighbors: present).build()
        }
        published = Published(interfaces: interfaces, routes: kept, neighbors: present, snapshot: snapshot)
        return snapshot
    }

    private func makeInterfaces() -> [NetworkInterface] {
        names.enumerated().map { slot, name in
            guard let link = links.first(where: { $0.name == name }) else {
                return NetworkInterface(slot: slot, name: name, mac: .zero, mtu: 0, isUp: false)
            }
            return NetworkInterface(
                slot: slot, name: name, kernelIndex: link.index, mac: link.mac, mtu: link.mtu,
                addresses: name == clients ? [] : addresses.filter { $0.index == link.index }.map(\.address),
                isUp: link.isUp,
                sendsRedirects: sendsRedirects(name))
        }
    }

    /// `net.ipv4.conf.*.send_redirects`: for all or for this one (`linux/inetdevice.h`, `IN_DEV_TX_REDIRECTS`).
    private func sendsRedirects(_ name: String) -> Bool {
        ["all", name].contains { readFile("/proc/sys/net/ipv4/conf/\($0)/send_redirects").first == UInt8(ascii: "1") }
    }
}
