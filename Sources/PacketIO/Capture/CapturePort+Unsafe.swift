public import Wire

/// A port whose received frames come from a capture file and whose transmitted frames go to another. One thread.
///
/// Frames are lent in the order of the file, as fast as they are asked for; who wants the capture's own pace asks for
/// `nextTimestamp` and receives one frame at a time. Frames of a capture have complete checksums as far as this port knows.
@safe
public final class CapturePort: Port {
    /// The interface's name.
    public let name: String
    /// Whole frames and super-frames; partial checksums would end up in the file as they are.
    public let capabilities: PortCapabilities
    /// The first thing that went wrong with either file. Nothing is read or written after it.
    public private(set) var failure: CaptureError?

    private let reader: CaptureReader?
    private let writer: CaptureWriter?
    private let stamp: () -> CaptureTimestamp
    private let buffers: FrameBuffers
    private let counters = PortCounters()
    private static let batch = 64

    /// Frames come from `reader` (none: nothing is received) and go to `writer` (none: they are counted as dropped).
    /// - Parameter stamp: gives the time stamp of each frame written.
    public init(
        name: String, reader: CaptureReader?, writer: CaptureWriter?, mtu: Int = 1500,
        stamp: @escaping () -> CaptureTimestamp
    ) throws(PortError) {
        guard let buffers = FrameBuffers(count: Self.batch, isPrefaulted: false) else {
            throw .noMemory(action: "capture port \(name)", bytes: Self.batch * FrameBuffers.stride)
        }
        self.name = name
        self.reader = reader
        self.writer = writer
        self.stamp = stamp
        self.buffers = buffers
        capabilities = PortCapabilities(mtu: mtu, carriesPartialChecksums: false, carriesSuperFrames: false)
    }

    /// What it counted.
    public var statistics: PortStatistics { counters.statistics }

    /// It never blocks.
    public var descriptor: Int32? { nil }

    /// When the next frame to be received was captured; nil at the end of the capture and after a failure.
    public var nextTimestamp: CaptureTimestamp? {
        guard failure == nil, let reader else { return nil }
        do throws(CaptureError) {
            return try reader.nextTimestamp()
        } catch {
            failure = error
            return nil
        }
    }

    /// Lend the next frames of the capture; 0 at its end and after a failure.
    public func receive(into frames: UnsafeMutableBufferPointer<Frame>) -> Int {
        guard failure == nil, let reader else { return 0 }
        var count = 0
        do throws(CaptureError) {
            while count < min(frames.count, Self.batch) {
                var frame = buffers.frame(count)
                guard try reader.next(into: &frame) != nil else { break }
                unsafe frames[count] = frame
                count += 1
            }
        } catch {
            failure = error
        }
        counters.received.add(count)
        return count
    }

    /// Write frames to the capture, in order.
    public func transmit(_ frames: UnsafeMutableBufferPointer<Frame>) {
        for index in 0..<frames.count {
            guard failure == nil, let writer else {
                counters.transmitDrops.add(1)
                continue
            }
            do throws(CaptureError) {
                try writer.write(unsafe frames[index].bytes, at: stamp())
                counters.transmitted.add(1)
            } catch {
                failure = error
                counters.transmitDrops.add(1)
            }
        }
    }
}
