import Glibc
public import Wire

/// The machine's own names: hosts by `getaddrinfo(3)` and `getnameinfo(3)`, services by `getservbyname_r(3)`.
public struct SystemResolver: NameResolver {
    /// The machine's names.
    public init() {}

    /// The host's IPv4 address.
    public func address(ofHost name: String) -> IPAddress? {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_INET
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(name, nil, &hints, &found) == 0, let list = unsafe found else { return nil }
        defer { unsafe freeaddrinfo(list) }
        guard let address = unsafe list.pointee.ai_addr, unsafe list.pointee.ai_family == AF_INET else { return nil }
        let number = unsafe UnsafeRawPointer(address).loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr
        return IPAddress(v4: UInt32(bigEndian: number))
    }

    /// The host's name.
    public func host(at address: IPAddress) -> String? {
        if address.isV4 {
            var socketAddress = sockaddr_in()
            socketAddress.sin_family = sa_family_t(AF_INET)
            socketAddress.sin_addr.s_addr = address.v4.bigEndian
            return unsafe withUnsafeBytes(of: &socketAddress) { unsafe Self.name(of: $0) }
        }
        var socketAddress = sockaddr_in6()
        socketAddress.sin6_family = sa_family_t(AF_INET6)
        unsafe withUnsafeMutableBytes(of: &socketAddress.sin6_addr) { bytes in
            unsafe bytes.storeBytes(of: address.high.bigEndian, as: UInt64.self)
            unsafe bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return unsafe withUnsafeBytes(of: &socketAddress) { unsafe Self.name(of: $0) }
    }

    /// The service's port.
    public func port(ofService name: String, transportProtocol: UInt8) -> UInt16? {
        unsafe Self.lookUp { entry, buffer, size, result in
            unsafe getservbyname_r(name, Self.name(of: transportProtocol), entry, buffer, size, result)
        }?.port
    }

    /// The service's name.
    public func service(at port: UInt16, transportProtocol: UInt8) -> String? {
        unsafe Self.lookUp { entry, buffer, size, result in
            let number = Int32(port.bigEndian)
            return unsafe getservbyport_r(number, Self.name(of: transportProtocol), entry, buffer, size, result)
        }?.name
    }

    private static func name(of transportProtocol: UInt8) -> String {
        switch transportProtocol {
        case IPProtocol.udp: "udp"
        case IPProtocol.sctp: "sctp"
        default: "tcp"
        }
    }

    private static func name(of socketAddress: UnsafeRawBufferPointer) -> String? {
        guard let base = socketAddress.baseAddress else { return nil }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let status = unsafe getnameinfo(
            base.assumingMemoryBound(to: sockaddr.self), socklen_t(socketAddress.count), &text, socklen_t(text.count),
            nil, 0, NI_NAMEREQD)
        guard status == 0 else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private typealias Reply = UnsafeMutablePointer<UnsafeMutablePointer<servent>?>

    private static func lookUp(
        _ call: (UnsafeMutablePointer<servent>, UnsafeMutablePointer<CChar>, Int, Reply) -> Int32
    ) -> (name: String, port: UInt16)? {
        var entry = unsafe servent()
        var buffer = [CChar](repeating: 0, count: 4096)
        var result: UnsafeMutablePointer<servent>?
        let size = buffer.count
        return unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, unsafe call(&entry, base, size, &result) == 0,
                let found = unsafe result, let name = unsafe found.pointee.s_name
            else { return nil }
            let port = unsafe UInt16(truncatingIfNeeded: found.pointee.s_port)
            return unsafe (String(cString: name), UInt16(bigEndian: port))
        }
    }
}
