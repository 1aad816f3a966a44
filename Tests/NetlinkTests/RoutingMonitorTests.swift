import Balancer
import Foundation
import Netlink
import Synchronization
import Testing
import Wire

/// Collects what a monitor hands out.
private final class Snapshots: Sendable {
    private let all = Mutex<[RoutingSnapshot]>([])
    func append(_ snapshot: RoutingSnapshot) { all.withLock { $0.append(snapshot) } }
    var count: Int { all.withLock { $0.count } }
    /// Wait for a snapshot that `condition` holds for.
    func wait(_ condition: (RoutingSnapshot) -> Bool) -> RoutingSnapshot? {
        eventually { all.withLock { $0.last { condition($0) } } }
    }
}

@Suite(.enabled(if: mayMakeNamespaces, Comment(rawValue: namespaceReason)), .serialized)
final class RoutingMonitorTests {
    let director: TestNamespace
    let peer: TestNamespace

    init() throws {
        director = try TestNamespace()
        peer = try TestNamespace()
        try director.connect("eth0", "10.0.0.1/24", to: peer, "peer0", "10.0.0.2/24")
    }

    deinit {
        director.close()
        peer.close()
    }

    private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    private func follow() throws -> (RoutingMonitor, Snapshots) {
        let snapshots = Snapshots()
        let monitor = try director.perform {
            let monitor = try RoutingMonitor(interfaces: ["eth0"])
            try monitor.start(onChange: snapshots.append)
            return monitor
        }
        return (monitor, snapshots)
    }

    @Test func theFirstSnapshot() throws {
        try director.run("ip route add default via 10.0.0.2 mtu 1400")
        try director.run("ip route add unreachable 172.16.0.0/12")
        try director.run("ip route add local 203.0.113.0/24 dev lo")
        try director.run("ip route add 198.18.0.0/24 nexthop via 10.0.0.3 nexthop via 10.0.0.4")
        try director.run("ip addr add 2001:db8::1/64 dev eth0 nodad")
        try director.run("ip addr add 10.9.9.9/32 dev lo")
        try director.run("ip -6 route add 2001:db8:9::/48 via 2001:db8::fe")
        try director.run("ip neigh add 10.0.0.7 lladdr 02:00:00:00:00:07 dev eth0 nud permanent")
        // The kernel puts an IPv6 address into force a moment after it was given.
        let ownV6 = try address("2001:db8::1")
        let snapshot = try #require(
            try eventually {
                let first = try director.perform { try RoutingMonitor(interfaces: ["eth0"]).snapshot }
                return first.isLocal(ownV6) ? first : nil
            })

        let interface = snapshot.interfaces[0]
        #expect(
            interface.name == "eth0" && interface.mtu == 1500 && interface.mac != .zero && interface.kernelIndex > 0)
        #expect(interface.isUp)
        #expect(interface.addresses.contains(try #require(InterfaceAddress("10.0.0.1/24"))))
        #expect(interface.addresses.contains(try #require(InterfaceAddress("2001:db8::1/64"))))

        let outside = snapshot.route(to: try address("8.8.8.8"))
        #expect(outside.nextHop == IPAddress("10.0.0.2") && outside.mtu == 1400 && outside.interface == 0)
        #expect(outside.source == IPAddress("10.0.0.1"))
        #expect(snapshot.route(to: try address("172.16.3.3")).kind == .unreachable)
        #expect(snapshot.route(to: try address("198.18.0.9")).nextHop == IPAddress("10.0.0.3"))
        let outside6 = snapshot.route(to: try address("2001:db8:9::1"))
        #expect(outside6.nextHop == IPAddress("2001:db8::fe") && outside6.source == IPAddress("2001:db8::1"))
        for own in ["10.0.0.1", "10.9.9.9", "127.0.0.1", "203.0.113.200", "2001:db8::1", "::1"] {
            #expect(snapshot.isLocal(try address(own)), "\(own)")
        }
        #expect(!snapshot.isLocal(try address("10.0.0.2")))
        #expect(snapshot.route(to: try address("10.0.0.255")).kind == .broadcast)
        let known = snapshot.neighbor(interface: 0, address: try address("10.0.0.7"))
        #expect(known.state == .permanent && known.mac == MACAddress("02:00:00:00:00:07"))
        #expect(snapshot.hostAddresses.contains(try address("10.9.9.9")))
    }

    @Test func noSuchInterface() throws {
        #expect(throws: NetlinkError.noSuchInterface("eth9")) {
            try director.perform { _ = try RoutingMonitor(interfaces: ["eth0", "eth9"]) }
        }
    }

    @Test func followsRoutesAndAddresses() throws {
        let (monitor, snapshots) = try follow()
        defer { monitor.stop() }
        let outside = try address("8.8.8.8")
        try director.run("ip route add default via 10.0.0.2")
        #expect(snapshots.wait { $0.route(to: outside).nextHop == IPAddress("10.0.0.2") } != nil)
        try director.run("ip route replace default via 10.0.0.3")
        #expect(snapshots.wait { $0.route(to: outside).nextHop == IPAddress("10.0.0.3") } != nil)
        let own = try address("192.0.2.1")
        try director.run("ip addr add 192.0.2.1/24 dev eth0")
        #expect(snapshots.wait { $0.isLocal(own) && $0.interfaces[0].addresses.count >= 2 } != nil)
        try director.run("ip addr del 192.0.2.1/24 dev eth0")
        #expect(eventually { monitor.snapshot.isLocal(own) ? nil : true } == true)
        try director.run("ip route del default")
        #expect(eventually { monitor.snapshot.route(to: outside).kind == .missing ? true : nil } == true)
    }

    @Test func followsLinks() throws {
        try director.run("ip route add default via 10.0.0.2")
        let (monitor, _) = try follow()
        defer { monitor.stop() }
        try director.run("ip link set eth0 mtu 1300")
        #expect(eventually { monitor.snapshot.interfaces[0].mtu == 1300 ? true : nil } == true)
        try director.run("ip link set eth0 down")
        let outside = try address("8.8.8.8")
        #expect(
            eventually {
                !monitor.snapshot.interfaces[0].isUp && monitor.snapshot.route(to: outside).kind == .missing
                    ? true : nil
            } == true)
        try director.run("ip link del eth0")
        #expect(eventually { monitor.snapshot.interfaces[0].kernelIndex == 0 ? true : nil } == true)
        try director.connect("eth0", "10.0.0.1/24", to: peer, "peer1", "10.0.0.2/24")
        #expect(
            eventually {
                monitor.snapshot.interfaces[0].isUp && monitor.snapshot.interfaces[0].kernelIndex > 0 ? true : nil
            }
                == true)
    }

    @Test func aBurstMakesFewSnapshotsAndLosesNothing() throws {
        let (monitor, snapshots) = try follow()
        defer { monitor.stop() }
        let lines = (0..<2000).map { "route add 10.\(100 + $0 / 200).\($0 % 200).0/24 via 10.0.0.\(2 + $0 % 50)" }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("fairlead-routes-\(getpid())")
        try lines.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        try director.run("ip -batch \(file.path)")
        for number in stride(from: 0, to: 2000, by: 97) {
            let probe = try address("10.\(100 + number / 200).\(number % 200).9")
            let gateway = try address("10.0.0.\(2 + number % 50)")
            #expect(eventually { monitor.snapshot.route(to: probe).nextHop == gateway ? true : nil } == true)
        }
        #expect(snapshots.count < 200)
    }

    @Test func resolvesNeighbors() throws {
        let (monitor, snapshots) = try follow()
        defer { monitor.stop() }
        let words = try peer.run("ip -o link show peer0").split(separator: " ").map(String.init)
        let mac = try #require(words.lazy.compactMap { MACAddress($0) }.first)
        let neighbor = try address("10.0.0.2")
        #expect(!monitor.snapshot.neighbor(interface: 0, address: neighbor).state.isUsable)
        try monitor.resolve(interface: 0, address: neighbor)
        let snapshot = try #require(
            snapshots.wait { $0.neighbor(interface: 0, address: neighbor).state == .reachable })
        #expect(snapshot.neighbor(interface: 0, address: neighbor).mac == mac)

        let absent = try address("10.0.0.66")
        try monitor.resolve(interface: 0, address: absent)
        #expect(snapshots.wait { $0.neighbor(interface: 0, address: absent).state == .failed } != nil)
        // An interface or a neighbour that makes no sense is refused or ignored, not fatal.
        try monitor.resolve(interface: 7, address: absent)
        try monitor.resolve(interface: -1, address: absent)
    }

    @Test func resolvesIPv6Neighbors() throws {
        try director.run("ip addr add 2001:db8::1/64 dev eth0 nodad")
        try peer.run("ip addr add 2001:db8::2/64 dev peer0 nodad")
        let (monitor, snapshots) = try follow()
        defer { monitor.stop() }
        let neighbor = try address("2001:db8::2")
        try monitor.resolve(interface: 0, address: neighbor)
        #expect(snapshots.wait { $0.neighbor(interface: 0, address: neighbor).state == .reachable } != nil)
    }

    @Test func keepsNextHopsFresh() throws {
        // A stale entry that is used is confirmed after a second here, not after five.
        try director.run("sysctl -qw net.ipv4.neigh.eth0.delay_first_probe_time=1")
        try director.run("ip route add 198.18.0.0/24 via 10.0.0.2")
        let (monitor, _) = try follow()
        defer { monitor.stop() }
        monitor.keepFresh([try address("198.18.0.77"), try address("10.0.0.66")])
        let router = try address("10.0.0.2")
        func state() -> NeighborState { monitor.snapshot.neighbor(interface: 0, address: router).state }
        #expect(eventually { state() == .reachable ? true : nil } == true)
        try director.run("ip neigh change 10.0.0.2 dev eth0 nud stale")
        #expect(eventually { state() == .stale ? true : nil } == true)
        #expect(eventually(within: 15) { state() == .reachable ? true : nil } == true)
    }
}
