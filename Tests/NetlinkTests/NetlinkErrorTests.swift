import Glibc
import Netlink
import Testing

@Suite struct NetlinkErrorTests {
    @Test func sayWhatToDo() {
        let denied = NetlinkError.call("set up", object: "the table", .notPermitted, detail: nil)
        #expect(denied.description.hasPrefix("set up the table: "))
        #expect(denied.description.contains("CAP_NET_ADMIN"))
        let detailed = NetlinkError.call("dump", object: "routes", .invalidArgument, detail: "no such table")
        #expect(detailed.description.hasSuffix("(no such table)"))
        #expect(NetlinkError.missingNfTables("nfnetlink").description.contains("modprobe nf_tables"))
        #expect(NetlinkError.noSuchInterface("eth9").description.contains("eth9"))
        #expect(NetlinkError.timeout("dump").errno == nil)
    }

    /// A mistake in a request comes back with the kernel's own words.
    @Test(.enabled(if: mayMakeNamespaces, Comment(rawValue: namespaceReason)))
    func aRefusedProbeNamesTheNeighbour() throws {
        let namespace = try TestNamespace()
        defer { namespace.close() }
        let error = #expect(throws: NetlinkError.self) {
            try namespace.perform {
                try NeighborProbe().resolve(interface: 4711, address: .init(v4: 0x0a00_0001))
            }
        }
        #expect(error?.errno?.rawValue == ENODEV)
        #expect(error?.description.hasPrefix("resolve 10.0.0.1: ") == true)
    }
}
