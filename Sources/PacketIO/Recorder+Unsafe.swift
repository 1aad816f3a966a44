public import Wire

/// A port that writes to a capture what passes through another: received frames as they came, transmitted frames as they
/// are handed over. Partial checksums and super-frames are written as they are.
public final class Recorder: Port {
    /// The port that does the work.
    public let base: any Port
    /// Why the capture ends before the traffic did; nil while it goes on. Traffic is not disturbed.
    public private(set) var failure: CaptureError?
    private let writer: CaptureWriter
    private let stamp: () -> CaptureTimestamp

    /// Record what passes through `base`. The writer should announce `CaptureWriter.largestSnapshotLength`.
    /// - Parameter stamp: gives the time stamp of each frame.
    public init(_ base: any Port, to writer: CaptureWriter, stamp: @escaping () -> CaptureTimestamp) {
        self.base = base
        self.writer = writer
        self.stamp = stamp
    }

    /// The recorded port's.
    public var name: String { base.name }
    /// The recorded port's.
    public var capabilities: PortCapabilities { base.capabilities }
    /// The recorded port's.
    public var statistics: PortStatistics { base.statistics }
    /// The recorded port's.
    public var descriptor: Int32? { base.descriptor }
    /// The recorded port's.
    public var isFreeToAsk: Bool { base.isFreeToAsk }

    /// Receive from the recorded port.
    public func receive(into frames: UnsafeMutableBufferPointer<Frame>) -> Int {
        let count = unsafe base.receive(into: frames)
        for slot in 0..<count { record(unsafe frames[slot]) }
        return count
    }

    /// Transmit through the recorded port.
    public func transmit(_ frames: UnsafeMutableBufferPointer<Frame>) {
        for index in 0..<frames.count { record(unsafe frames[index]) }
        unsafe base.transmit(frames)
    }

    private func record(_ frame: Frame) {
        guard failure == nil else { return }
        do throws(CaptureError) {
            try writer.write(frame.bytes, at: stamp())
        } catch {
            failure = error
        }
    }
}
