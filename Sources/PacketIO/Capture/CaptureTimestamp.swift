/// When a frame was captured: seconds (since 1970, or since whatever the capture's writer chose) and nanoseconds.
public struct CaptureTimestamp: Hashable, Sendable {
    /// Whole seconds.
    public var seconds: Int64
    /// 0 to 999,999,999.
    public var nanoseconds: Int64

    /// From its parts.
    public init(seconds: Int64, nanoseconds: Int64 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// From seconds and microseconds.
    public init(seconds: Int64, microseconds: Int64) {
        self.init(seconds: seconds, nanoseconds: microseconds * 1000)
    }
}

extension CaptureTimestamp: Comparable {
    /// Earlier first.
    public static func < (left: CaptureTimestamp, right: CaptureTimestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}

/// A frame of a capture.
public struct CapturedFrame: Hashable, Sendable {
    /// When it was captured.
    public var timestamp: CaptureTimestamp
    /// Bytes that the frame had on the wire: more than `bytes.count` when the capture cut it.
    public var originalLength: Int
    /// The bytes captured, from the Ethernet header on.
    public var bytes: [UInt8]

    /// From its parts.
    public init(timestamp: CaptureTimestamp, originalLength: Int, bytes: [UInt8]) {
        self.timestamp = timestamp
        self.originalLength = originalLength
        self.bytes = bytes
    }
}
