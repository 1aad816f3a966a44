public import Wire

/// A packet in memory of its own, so that a test can have `PacketBytes` or a `Frame` to work on.
///
/// The windows it gives do not keep it alive: hold on to it for as long as they are used, or use `with`.
public final class HeapPacket {
    /// What the memory around the packet is filled with.
    private static let filler: UInt8 = 0xa5

    private let buffer: UnsafeMutableRawBufferPointer
    private let headroom: Int
    private let length: Int

    /// A copy of `packet` with `headroom` bytes before it and `tailroom` after it.
    public init(_ packet: [UInt8], headroom: Int = Frame.headroom, tailroom: Int = 256) {
        self.headroom = headroom
        length = packet.count
        buffer = .allocate(byteCount: headroom + packet.count + tailroom, alignment: 64)
        buffer.initializeMemory(as: UInt8.self, repeating: Self.filler)
        UnsafeMutableRawBufferPointer(rebasing: buffer[headroom..<headroom + packet.count]).copyBytes(from: packet)
    }

    // The memory stays until the process ends, so that a window on a temporary packet may be read in an expectation.

    private var base: UnsafeMutableRawPointer {
        guard let base = buffer.baseAddress else { preconditionFailure("memory of length zero") }
        return base
    }

    /// The packet.
    public var bytes: PacketBytes { PacketBytes(base + headroom, count: length) }

    /// The packet as a frame that came by `interface`.
    public func frame(interface: Int = 0, offload: OffloadFacts = OffloadFacts()) -> Frame {
        var frame = Frame(buffer: base, capacity: buffer.count)
        frame.start = headroom
        frame.length = length
        frame.interface = interface
        frame.offload = offload
        return frame
    }

    /// A copy of the packet as it is now.
    public var array: [UInt8] { bytes.array() }

    /// Whether nobody wrote before or behind the packet.
    public var isIntactAround: Bool {
        buffer.prefix(headroom).allSatisfy { $0 == Self.filler }
            && buffer.dropFirst(headroom + length).allSatisfy { $0 == Self.filler }
    }

    /// Call `body` with a copy of `packet`, which is gone afterwards.
    public static func with<Result>(_ packet: [UInt8], _ body: (PacketBytes) throws -> Result) rethrows -> Result {
        let heap = HeapPacket(packet)
        return try withExtendedLifetime(heap) { try body(heap.bytes) }
    }

    /// Call `body` with a copy of `packet`.
    /// - Returns: the packet afterwards.
    public static func changing(_ packet: [UInt8], _ body: (PacketBytes) throws -> Void) rethrows -> [UInt8] {
        try with(packet) { bytes in
            try body(bytes)
            return bytes.array()
        }
    }
}
