import CLinuxNet
import CMnl
import Wire

/// A received netlink message, in the socket's buffer: valid while the closure that got it runs.
@safe
struct NetlinkMessage {
    private let header: UnsafePointer<nlmsghdr>

    init(_ header: UnsafePointer<nlmsghdr>) { unsafe self.header = unsafe header }

    /// `nlmsg_type`.
    var type: Int { unsafe Int(header.pointee.nlmsg_type) }
    /// `nlmsg_flags`.
    var flags: Int32 { unsafe Int32(header.pointee.nlmsg_flags) }
    /// `nlmsg_seq`.
    var sequence: UInt32 { unsafe header.pointee.nlmsg_seq }

    /// The family's structure; nil when the message is too short for it.
    func payload<Header: BitwiseCopyable>(as type: Header.Type = Header.self) -> Header? {
        guard unsafe mnl_nlmsg_get_payload_len(header) >= MemoryLayout<Header>.size else { return nil }
        return unsafe mnl_nlmsg_get_payload(header).loadUnaligned(as: Header.self)
    }

    /// The attributes after a family's structure of `size` bytes.
    func attributes(after size: Int) -> AttributeList {
        let length = unsafe mnl_nlmsg_get_payload_len(header)
        let start = (size + 3) & ~3
        guard start < length else { return AttributeList() }
        return unsafe AttributeList(
            start: mnl_nlmsg_get_payload(header) + start, count: length - start)
    }

    /// The error of an `NLMSG_ERROR` or the end of a dump: 0 for success, else a positive `errno`; nil for another
    /// message.
    var errorNumber: Int32? {
        guard type == Int(NLMSG_ERROR) || type == Int(NLMSG_DONE) else { return nil }
        return payload(as: Int32.self).map { -$0 } ?? 0
    }

    /// What the kernel says of an error (`NLMSGERR_ATTR_MSG`).
    var errorText: String? {
        guard let error = payload(as: nlmsgerr.self), flags & NLM_F_ACK_TLVS != 0 else { return nil }
        let quoted = flags & NLM_F_CAPPED != 0 ? MemoryLayout<nlmsghdr>.size : Int(error.msg.nlmsg_len)
        let text = attributes(after: MemoryLayout<Int32>.size + quoted)[code(NLMSGERR_ATTR_MSG)]?.text
        return text?.isEmpty == true ? nil : text
    }
}

/// A run of attributes in a received message.
@safe
struct AttributeList: Sequence {
    private let start: UnsafeRawPointer?
    private let count: Int

    init() {
        unsafe start = nil
        count = 0
    }

    init(start: UnsafeRawPointer, count: Int) {
        unsafe self.start = unsafe start
        self.count = count
    }

    /// The first attribute of that type.
    subscript(type: UInt16) -> Attribute? { first { $0.type == type } }

    func makeIterator() -> Iterator {
        unsafe Iterator(next: start?.assumingMemoryBound(to: nlattr.self), left: count)
    }

    /// Walks the attributes.
    @safe
    struct Iterator: IteratorProtocol {
        private var following: UnsafePointer<nlattr>?
        private var left: Int

        init(next: UnsafePointer<nlattr>?, left: Int) {
            unsafe following = unsafe next
            self.left = left
        }

        mutating func next() -> Attribute? {
            guard let current = unsafe following, unsafe mnl_attr_ok(current, Int32(left)) else { return nil }
            let after = unsafe UnsafePointer(mnl_attr_next(current).unsafelyUnwrapped)
            left -= unsafe UnsafeRawPointer(after) - UnsafeRawPointer(current)
            unsafe following = unsafe after
            return unsafe Attribute(current)
        }
    }
}

/// One attribute in a received message.
@safe
struct Attribute {
    private let header: UnsafePointer<nlattr>

    init(_ header: UnsafePointer<nlattr>) { unsafe self.header = unsafe header }

    /// The type without its flags.
    var type: UInt16 { unsafe mnl_attr_get_type(header) }

    /// The payload.
    @unsafe var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(
            start: mnl_attr_get_payload(header), count: Int(mnl_attr_get_payload_len(header)))
    }

    /// A number in the host's byte order; nil when the payload is too short.
    func number<Number: FixedWidthInteger & BitwiseCopyable>(as type: Number.Type = Number.self) -> Number? {
        let bytes = unsafe bytes
        guard bytes.count >= MemoryLayout<Number>.size else { return nil }
        return unsafe bytes.loadUnaligned(as: Number.self)
    }

    /// A text, up to its zero.
    var text: String {
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// An address of 4 or 16 bytes.
    var address: IPAddress? { unsafe IPAddress(bytes: bytes) }

    /// An address behind its family (`struct rtvia`).
    var addressAfterFamily: IPAddress? { unsafe IPAddress(bytes: bytes.dropFirst(2)) }

    /// An Ethernet address.
    var mac: MACAddress? {
        let bytes = unsafe bytes
        guard bytes.count == 6 else { return nil }
        return unsafe MACAddress(bits: bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// The attributes it holds.
    var nested: AttributeList {
        let bytes = unsafe bytes
        guard let start = bytes.baseAddress else { return AttributeList() }
        return unsafe AttributeList(start: start, count: bytes.count)
    }

    /// The next hops of `RTA_MULTIPATH`: each a structure followed by its attributes.
    var nextHops: [(hop: rtnexthop, attributes: AttributeList)] {
        var hops: [(hop: rtnexthop, attributes: AttributeList)] = []
        var rest = unsafe bytes
        let size = MemoryLayout<rtnexthop>.size
        while rest.count >= size, let start = rest.baseAddress {
            let hop = unsafe rest.loadUnaligned(as: rtnexthop.self)
            let length = Int(hop.rtnh_len)
            guard length >= size, length <= rest.count else { break }
            unsafe hops.append((hop, AttributeList(start: start + size, count: length - size)))
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst((length + 3) & ~3))
        }
        return hops
    }
}
