public import Wire

/// The packet path's sight of a `ServiceTable`; valid until the worker's next quiescent point.
@safe
public struct ServiceTableView {
    @usableFromInline let records: UnsafeMutablePointer<UnsafeMutablePointer<ServiceRecord>>
    @usableFromInline let index: UnsafeMutablePointer<UInt32>
    @usableFromInline let mask: Int
    @usableFromInline let addresses: UnsafeMutablePointer<IPAddress>
    @usableFromInline let addressMask: Int
    @usableFromInline let addressClasses: UnsafeMutablePointer<UInt64>
    /// Whether virtual addresses are ours because there are services; if not, only those that the host has.
    public let ownsVirtualAddresses: Bool
    @usableFromInline let servers: ServerDirectoryReference
    /// Whether there are services by firewall mark.
    public let hasMarks: Bool
    let markRules: UnsafeMutablePointer<MarkRule>
    /// Rules that mark packets; with none nothing need be asked.
    public let markCount: Int
    @usableFromInline let hasAnyPort: Bool
    /// Services with IPv4 addresses, and local addresses: with none, IPv4 packets are not looked at (the kernel registers
    /// its hooks so).
    public let countV4: Int
    /// Services with IPv6 addresses, and local addresses.
    public let countV6: Int
    /// Every local address that a service lists or an entry uses.
    public let locals: LocalDirectoryReference
    /// The host's addresses for connections that the host itself opens; nil: none.
    public let hostPool: LocalPoolReference?
    /// The local addresses of connections to real servers on the host itself; nil: none.
    public let ownServerPool: LocalPoolReference?
    /// Number of services.
    public let count: Int

    init(_ table: ServiceTable) {
        unsafe records = table.records
        unsafe index = table.index
        mask = table.mask
        unsafe addresses = table.addresses
        addressMask = table.addressMask
        unsafe addressClasses = table.addressClasses
        ownsVirtualAddresses = table.ownsVirtualAddresses
        servers = table.servers.reference
        hasMarks = table.hasMarks
        unsafe markRules = table.markRules
        markCount = table.markCount
        hasAnyPort = table.hasAnyPort
        countV4 = table.countV4
        countV6 = table.countV6
        locals = table.locals.reference
        hostPool = table.hostPool?.reference
        ownServerPool = table.ownServerPool?.reference
        count = table.blocks.count
    }

    @inlinable @inline(__always)
    func lookUp(_ key: ServiceLookupKey) -> UnsafeMutablePointer<ServiceRecord>? {
        var place = Int(truncatingIfNeeded: key.hash) & mask
        while true {
            let number = unsafe index[place]
            guard number != 0 else { return nil }
            let record = unsafe records[Int(number) &- 1]
            if unsafe record.pointee.port == key.port && record.pointee.mark == key.mark
                && record.pointee.transportProtocol == key.transportProtocol && record.pointee.address == key.address
            {
                return unsafe record
            }
            place = (place &+ 1) & mask
        }
    }

    /// The service of a packet: by mark, then by protocol, address and port, then with port 0
    /// (`ip_vs_ctl.c`, `ip_vs_service_find`).
    @inlinable
    public func find(transportProtocol: UInt8, address: IPAddress, port: UInt16, mark: UInt32) -> ServiceReference? {
        if hasMarks, mark != 0 {
            let any = address.isV4 ? IPAddress.anyV4 : IPAddress.anyV6
            if let record = unsafe lookUp(
                ServiceLookupKey(address: any, port: 0, transportProtocol: 0, mark: mark))
            {
                return unsafe ServiceReference(record)
            }
        }
        if let record = unsafe lookUp(
            ServiceLookupKey(address: address, port: port, transportProtocol: transportProtocol, mark: 0))
        {
            return unsafe ServiceReference(record)
        }
        if hasAnyPort,
            let record = unsafe lookUp(
                ServiceLookupKey(address: address, port: 0, transportProtocol: transportProtocol, mark: 0))
        {
            return unsafe ServiceReference(record)
        }
        return nil
    }

    /// The mark of a packet that came by `interface`; 0: none. The last rule that matches gives it.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func mark(of key: FlowKey, interface: Int) -> UInt32 {
        var place = markCount
        while place > 0 {
            place &-= 1
            if unsafe markRules[place].matches(key, interface: interface) { return unsafe markRules[place].mark }
        }
        return 0
    }

    /// Whether a service has the mark for packets of the family.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public func hasMark(_ mark: UInt32, isV4: Bool) -> Bool {
        guard hasMarks else { return false }
        let any = isV4 ? IPAddress.anyV4 : IPAddress.anyV6
        return unsafe lookUp(ServiceLookupKey(address: any, port: 0, transportProtocol: 0, mark: mark)) != nil
    }

    /// Whether a service has this real server for NAT (`ip_vs_ctl.c`, `ip_vs_has_real_service`).
    @inlinable
    public func hasServer(transportProtocol: UInt8, address: IPAddress, port: UInt16) -> Bool {
        let key = ServiceLookupKey(address: address, port: port, transportProtocol: transportProtocol, mark: 0)
        if servers.contains(key) { return true }
        return servers.hasMarked
            && servers.contains(ServiceLookupKey(address: address, port: port, transportProtocol: 0, mark: 0))
    }

    /// Whether this is a virtual address of a service, or a local address of a pool.
    @inlinable @inline(__always)
    public func owns(_ address: IPAddress) -> Bool {
        let hash = ServiceLookupKey.hash(address)
        // Most packets are asked about their sender: the filter stays in the near cache where the table does not.
        let number = ServiceLookupKey.addressClass(hash, mask: addressMask)
        guard unsafe addressClasses[number &>> 6] &>> UInt64(number & 63) & 1 != 0 else { return false }
        var place = Int(truncatingIfNeeded: hash) & addressMask
        while true {
            let other = unsafe addresses[place]
            if other == .anyV6 { return false }
            if other == address { return true }
            place = (place &+ 1) & addressMask
        }
    }
}

/// A service in a snapshot; valid until the worker's next quiescent point.
@safe
public struct ServiceReference {
    @usableFromInline let pointer: UnsafeMutablePointer<ServiceRecord>
    @inlinable @inline(__always)
    init(_ pointer: UnsafeMutablePointer<ServiceRecord>) { unsafe self.pointer = pointer }

    /// The record.
    @inlinable @inline(__always)
    public var record: ServiceRecord { unsafe pointer.pointee }
}
