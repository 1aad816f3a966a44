public import Balancer
import Wire

extension TableDisruption {
    /// What a change of `service` moved, in a line for the log.
    public func line(_ service: VirtualService) -> String {
        var names = EndpointNames(resolver: nil)
        let name =
            switch service.key {
            case .mark(let mark, _): "FWM \(mark)"
            case .address(let transportProtocol, let address, let port):
                IPProtocol.listedName(transportProtocol) + " " + names.text(address, port, nil)
            }
        return "\(name) \(service.scheduler.name): \(moved) of \(places) places go to another real server, "
            + "\(unavoidable) had to"
    }
}
