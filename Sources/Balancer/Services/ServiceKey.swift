public import Wire

/// What a virtual service is known by: protocol, address and port, or a firewall mark.
public enum ServiceKey: Hashable, Sendable {
    /// A protocol (`IPProtocol`), a virtual address and a port; port 0 means every port (persistent services only).
    case address(transportProtocol: UInt8, address: IPAddress, port: UInt16)
    /// A firewall mark, for one family.
    case mark(UInt32, family: AddressFamily)

    /// The family of the service's addresses.
    public var family: AddressFamily {
        switch self {
        case .address(_, let address, _): address.family
        case .mark(_, let family): family
        }
    }

    var isV4: Bool { family == .v4 }

    /// The service's port; 0 for a mark.
    public var port: UInt16 {
        if case .address(_, _, let port) = self { port } else { 0 }
    }
}

/// What a destination of a service is known by.
public struct DestinationKey: Hashable, Sendable {
    /// The real server's address.
    public var address: IPAddress
    /// The real server's port; 0 keeps the port of the packet (fwmark and port-0 services).
    public var port: UInt16

    /// From address and port.
    public init(address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }
}
