import Balancer
import Wire

/// The text of `--get-laddr`, in DPVS's columns (`tools/ipvsadm/ipvsadm.c`, `list_laddrs_print_laddr`); always numbers.
enum LocalAddressListing {
    /// Title, then each service with the size of its pool, and a line for each local address.
    static func lines(_ services: [ServiceStatus]) -> String {
        var names = EndpointNames(resolver: nil)
        var text = row("VIP:VPORT", "TOTAL", "SNAT_IP", "CONFLICTS", "CONNS")
        for status in RuleOrder.sorted(services) {
            let name =
                switch status.service.key {
                case .mark(let mark, let family): "FWM  \(Int32(bitPattern: mark))\(family == .v6 ? " IPv6" : "")"
                case .address(let transportProtocol, let address, let port):
                    names.text(address, port, transportProtocol)
                }
            text += name.left(20) + " " + status.localAddresses.count.left(8) + " \n"
            for local in status.localAddresses {
                text += row("", "", "\(local.address)", "\(local.exhausted)", "\(local.connections)")
            }
        }
        return text
    }

    private static func row(
        _ service: String, _ total: String, _ address: String, _ conflicts: String, _ connections: String
    ) -> String {
        service.left(20) + " " + total.left(8) + " " + address.left(20) + " " + conflicts.left(10) + " "
            + connections.left(10) + "\n"
    }
}
