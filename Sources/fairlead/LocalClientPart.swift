import Balancer
import Control
import Netlink
import PacketIO
import Wire

/// The daemon's part in connections that the host itself opens: the device they come by, and the routes that lead there.
struct LocalClientPart {
    /// The device's name.
    static let device = "fairlead0"

    let port: TunPort
    private let routes: LocalClients

    /// Make the device; it goes with its routes when the daemon ends, however it does.
    init() throws {
        port = try TunPort(name: Self.device)
        routes = try LocalClients(device: Self.device)
    }

    /// Let these connections leave under the host's addresses.
    static func lend(_ addresses: [IPAddress], of engine: Engine) throws {
        do throws(RuleError) {
            try engine.lendHostAddresses(addresses)
        } catch {
            throw Failure("--local-clients: \(error.message)")
        }
    }

    /// Lead the virtual addresses of `traffic` here; with `isAll` no others.
    func follow(_ traffic: OwnedTraffic, _ engine: Engine, isAll: Bool) throws {
        let virtual = Set(traffic.addresses).subtracting(engine.localAddresses)
        if isAll { try routes.lead(virtual) } else { try routes.lead(adding: virtual) }
    }
}
