import Glibc
public import Wire

extension NodeDescription {
    /// The addresses of this network namespace's interfaces, in the kernel's order; without those that kube-proxy bound to
    /// its `kube-ipvs0`, and those of the interface `other`.
    public static func hostAddresses(without other: String) -> [IPAddress] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard unsafe getifaddrs(&list) == 0 else { return [] }
        defer { unsafe freeifaddrs(list) }
        var addresses: [IPAddress] = []
        var next = unsafe list
        while let entry = unsafe next {
            unsafe next = entry.pointee.ifa_next
            guard unsafe !["kube-ipvs0", other].contains(String(cString: entry.pointee.ifa_name)),
                let socket = unsafe entry.pointee.ifa_addr
            else { continue }
            switch unsafe Int32(socket.pointee.sa_family) {
            case AF_INET:
                let number = unsafe socket.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    unsafe $0.pointee.sin_addr.s_addr
                }
                addresses.append(IPAddress(v4: UInt32(bigEndian: number)))
            case AF_INET6:
                let words = unsafe socket.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    unsafe $0.pointee.sin6_addr.__in6_u.__u6_addr32
                }
                func pair(_ first: UInt32, _ second: UInt32) -> UInt64 {
                    UInt64(UInt32(bigEndian: first)) << 32 | UInt64(UInt32(bigEndian: second))
                }
                addresses.append(IPAddress(high: pair(words.0, words.1), low: pair(words.2, words.3)))
            default: continue
            }
        }
        return addresses
    }
}
