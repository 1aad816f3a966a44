import CLinuxNet
import Glibc
import Synchronization
public import Wire

/// Has the kernel resolve neighbours, without a datagram of ours: an `RTM_NEWNEIGH` with `NTF_USE` makes it behave as
/// if it had a packet to send (`net/core/neighbour.c`, `neigh_add`). A missing or failed entry is asked for, a stale one
/// is confirmed; the result comes by the routing monitor. Any thread.
///
/// Never to be used on a permanent entry: since Linux 5.16 that makes it an ordinary one.
public final class NeighborProbe: Sendable {
    private let socket: Mutex<NetlinkSocket>

    /// Open the socket in the calling thread's network namespace.
    public init() throws(NetlinkError) {
        socket = Mutex(try NetlinkSocket(bus: NETLINK_ROUTE, name: "neighbours"))
    }

    /// Have the kernel resolve or confirm a neighbour. It sends at most three requests, a second apart, and then gives
    /// up (`net.ipv4.neigh.*.mcast_solicit`); asking meanwhile changes nothing.
    ///
    /// - Parameters:
    ///   - kernelIndex: The interface, by the kernel's index.
    ///   - address: The neighbour's address.
    public func resolve(interface kernelIndex: UInt32, address: IPAddress) throws(NetlinkError) {
        var failure: NetlinkError?
        socket.withLock { socket in
            do throws(NetlinkError) {
                try Self.use(socket, kernelIndex, address)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private static func use(
        _ socket: NetlinkSocket, _ kernelIndex: UInt32, _ address: IPAddress
    ) throws(NetlinkError) {
        let writer = socket.writer()
        var header = ndmsg()
        header.ndm_family = UInt8(address.isV4 ? AF_INET : AF_INET6)
        header.ndm_ifindex = Int32(bitPattern: kernelIndex)
        header.ndm_flags = UInt8(NTF_USE)
        writer.message(Int(RTM_NEWNEIGH), flags: NLM_F_CREATE | NLM_F_ACK, header: header) {
            writer.put(code(NDA_DST), address)
        }
        try socket.request(writer, call: "resolve", object: "\(address)")
    }
}
