import Wire

@testable import PacketIO

/// Slots for frames, as a worker has them.
final class FrameSlots {
    let slots: UnsafeMutableBufferPointer<Frame>

    init(_ count: Int = 64) { slots = .allocate(capacity: count) }

    deinit { slots.deallocate() }

    /// Receive once.
    func receive(from port: any Port) -> [Frame] { Array(slots[..<port.receive(into: slots)]) }

    /// Transmit all frames of `memory`.
    func transmit(_ memory: FrameMemory, to port: any Port) {
        withExtendedLifetime(memory) {
            var frames = memory.frames
            frames.withUnsafeMutableBufferPointer { port.transmit($0) }
        }
    }
}

/// Frames in memory of their own.
final class FrameMemory {
    private let buffers: [UnsafeMutableRawPointer]
    let frames: [Frame]

    init(_ contents: [[UInt8]], offload: OffloadFacts = OffloadFacts()) {
        buffers = contents.map { .allocate(byteCount: Frame.headroom + $0.count + 64, alignment: 64) }
        frames = zip(buffers, contents).map { buffer, bytes in
            var frame = Frame(buffer: buffer, capacity: Frame.headroom + bytes.count + 64)
            UnsafeMutableRawBufferPointer(start: buffer + Frame.headroom, count: bytes.count).copyBytes(from: bytes)
            frame.length = bytes.count
            frame.offload = offload
            return frame
        }
    }

    deinit { for buffer in buffers { buffer.deallocate() } }
}
