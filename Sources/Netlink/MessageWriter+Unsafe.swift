import CLinuxNet
import CMnl
import Wire

/// Netlink messages being written, one after another, through libmnl. One thread; control side.
///
/// A message may take `messageLimit` bytes; whoever writes lists splits them.
@safe
final class MessageWriter {
    /// Bytes a message may take: attributes, nested lists too, have 16 bits for their length.
    static let messageLimit = 1 << 16

    private var buffer: UnsafeMutableRawPointer
    private var capacity = 4 * MessageWriter.messageLimit
    /// Bytes written.
    private(set) var count = 0
    /// The sequence number of the last message.
    private(set) var sequence: UInt32
    private var message: UnsafeMutablePointer<nlmsghdr>?

    /// An empty one; sequence numbers go on from `sequence`.
    init(sequence: UInt32) {
        self.sequence = sequence
        unsafe buffer = .allocate(byteCount: 4 * Self.messageLimit, alignment: 8)
    }

    deinit { unsafe buffer.deallocate() }

    /// All that was written.
    @unsafe var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: buffer, count: count) }

    /// Write one message: header, family header and what `body` adds.
    ///
    /// - Parameters:
    ///   - type: `nlmsg_type`.
    ///   - flags: `NLM_F_*` besides `NLM_F_REQUEST`.
    ///   - header: The family's structure, e.g. `rtmsg`.
    ///   - body: Adds attributes.
    func message<Header: BitwiseCopyable>(_ type: Int, flags: Int32, header: Header, body: () -> Void = {}) {
        reserve()
        sequence &+= 1
        let start = unsafe mnl_nlmsg_put_header(buffer + count).unsafelyUnwrapped
        unsafe start.pointee.nlmsg_type = UInt16(truncatingIfNeeded: type)
        unsafe start.pointee.nlmsg_flags = UInt16(truncatingIfNeeded: flags | NLM_F_REQUEST)
        unsafe start.pointee.nlmsg_seq = sequence
        let extra = unsafe mnl_nlmsg_put_extra_header(start, MemoryLayout<Header>.size).unsafelyUnwrapped
        unsafe extra.storeBytes(of: header, as: Header.self)
        unsafe message = start
        body()
        unsafe message = nil
        let length = unsafe Int(start.pointee.nlmsg_len)
        precondition(length <= Self.messageLimit, "netlink message too long")
        count += (length + 3) & ~3
    }

    private func reserve() {
        guard count + 2 * Self.messageLimit > capacity else { return }
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity * 2, alignment: 8)
        unsafe larger.copyMemory(from: buffer, byteCount: count)
        unsafe buffer.deallocate()
        unsafe buffer = unsafe larger
        capacity *= 2
    }

    /// Bytes of the message being written.
    var messageLength: Int { unsafe message.map { unsafe Int($0.pointee.nlmsg_len) } ?? 0 }

    /// Add an attribute of bytes, padded to four with zeros (libmnl before 1.0.5 leaves the padding as it was).
    func put(_ type: UInt16, _ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { unsafe mnl_attr_put(message, type, $0.count, $0.baseAddress) }
        let padding = (4 - bytes.count % 4) % 4
        guard padding > 0, let message = unsafe message else { return }
        let tail = unsafe mnl_nlmsg_get_payload_tail(message).unsafelyUnwrapped
        unsafe (tail - padding).initializeMemory(as: UInt8.self, repeating: 0, count: padding)
    }

    /// Add a text, with its terminating zero.
    func put(_ type: UInt16, _ text: String) { put(type, Array(text.utf8) + [0]) }

    /// Add a number in the host's byte order (routing netlink).
    func put(_ type: UInt16, _ number: UInt32) { unsafe mnl_attr_put_u32(message, type, number) }

    /// Add a number in network order (nfnetlink).
    func putBE(_ type: UInt16, _ number: UInt32) { unsafe mnl_attr_put_u32(message, type, number.bigEndian) }

    /// Add an address: 4 or 16 bytes.
    func put(_ type: UInt16, _ address: IPAddress) { put(type, address.bytes) }

    /// Add an attribute that holds others.
    func nest(_ type: UInt16, _ body: () -> Void) {
        let start = unsafe mnl_attr_nest_start(message, type)
        body()
        unsafe mnl_attr_nest_end(message, start)
    }
}

extension IPAddress {
    /// The 4 or 16 bytes in network order.
    var bytes: [UInt8] {
        if isV4 { return (0..<4).map { UInt8(truncatingIfNeeded: v4 >> (24 - 8 * UInt32($0))) } }
        return (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> UInt64(56 - 8 * ($0 % 8))) }
    }

    /// From 4 or 16 bytes in network order.
    init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            self.init(
                high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
                low: bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) })
        default: return nil
        }
    }
}

/// The number of an attribute from an enum without a name.
func code(_ constant: Int) -> UInt16 { UInt16(truncatingIfNeeded: constant) }

/// The number of an attribute from a named enum.
func code(_ constant: some RawRepresentable<UInt32>) -> UInt16 { UInt16(truncatingIfNeeded: constant.rawValue) }
