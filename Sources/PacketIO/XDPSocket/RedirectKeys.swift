import Wire

/// What the maps of the redirect program hold for some traffic (`scripts/xdp/redirect.c`).
struct RedirectKeys: Hashable {
    /// A key of `endpoints`: protocol (2 bytes, machine order), port (2, network order; 0: every port), address (16).
    struct Endpoint: Hashable {
        var transportProtocol: UInt8
        var port: UInt16
        var address: IPAddress
    }

    /// Bits of a value in `endpoints`.
    enum EndpointBits {
        static let isVirtual: UInt32 = 1
        static let isServer: UInt32 = 2
    }

    /// Bits of a value in `addresses`.
    enum AddressBits {
        static let wantsAll: UInt32 = 1
        /// Of the address of each virtual endpoint: without it the program does not look for one.
        static let wantsRest: UInt32 = 2
        static let wantsResolution: UInt32 = 4
        static let sendsRest: UInt32 = 8
        static let wantsErrors: UInt32 = 16
        static let isHost: UInt32 = 32
        static let wantsUpperPorts: UInt32 = 64
    }

    /// The map of endpoints.
    private(set) var endpoints: [Endpoint: UInt32] = [:]
    /// The map of addresses.
    private(set) var addresses: [IPAddress: UInt32] = [:]

    /// For `traffic` on a host that has `hostAddresses`.
    init(_ traffic: OwnedTraffic, hostAddresses: [IPAddress]) {
        add(traffic.virtual, EndpointBits.isVirtual, AddressBits.wantsRest)
        add(traffic.servers, EndpointBits.isServer, AddressBits.sendsRest | AddressBits.wantsErrors)
        add(traffic.addresses, AddressBits.wantsAll)
        add(traffic.besideHost, AddressBits.wantsUpperPorts)
        add(traffic.errorsAbout, AddressBits.wantsErrors)
        add(traffic.arpFor + traffic.ndFor, AddressBits.wantsResolution)
        add(hostAddresses, AddressBits.isHost)
    }

    private mutating func add(_ list: [OwnedTraffic.Endpoint], _ bit: UInt32, _ addressBits: UInt32) {
        for endpoint in list {
            let number = endpoint.transportProtocol
            guard number == IPProtocol.tcp || number == IPProtocol.udp || number == IPProtocol.sctp else { continue }
            endpoints[
                Endpoint(transportProtocol: number, port: endpoint.port, address: endpoint.address), default: 0] |= bit
            addresses[endpoint.address, default: 0] |= addressBits
        }
    }

    private mutating func add(_ list: [IPAddress], _ bits: UInt32) {
        for address in list { addresses[address, default: 0] |= bits }
    }

    /// Add what `other` holds.
    mutating func merge(_ other: RedirectKeys) {
        endpoints.merge(other.endpoints) { $0 | $1 }
        addresses.merge(other.addresses) { $0 | $1 }
    }

    /// Bytes of a key in `endpoints`.
    static let endpointLength = 20

    /// The key's bytes.
    static func bytes(_ endpoint: Endpoint) -> [UInt8] {
        // The program's field is in the machine's order, which is little-endian wherever AF_XDP is of use to us.
        let number = UInt16(endpoint.transportProtocol).littleEndian
        return [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
            + [UInt8(truncatingIfNeeded: endpoint.port >> 8), UInt8(truncatingIfNeeded: endpoint.port)]
            + bytes(endpoint.address)
    }

    /// The key's bytes: an IPv6 address, or an IPv4 one as an IPv4-mapped IPv6 address, in network order.
    static func bytes(_ address: IPAddress) -> [UInt8] {
        [address.high, address.low].flatMap { half in
            (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
        }
    }
}
