import CPcap
import Glibc
public import Wire

/// Writes a capture file through libpcap: pcap, Ethernet, time stamps of microseconds, frames uncut. One thread.
@safe
public final class CaptureWriter {
    /// The longest frame that the file announces when it carries no super-frames, in bytes.
    public static let usualSnapshotLength = 65_535
    /// The longest frame that a file may announce (libpcap's MAXIMUM_SNAPLEN), for files with super-frames.
    public static let largestSnapshotLength = 262_144

    /// The file's path, for messages.
    public let path: String
    /// Frames written so far.
    public private(set) var framesWritten = 0
    private let capture: OpaquePointer
    private let dumper: OpaquePointer
    private var isClosed = false

    /// Create the file at `path`, or empty it; "-" is the standard output.
    public init(path: String, snapshotLength: Int = CaptureWriter.usualSnapshotLength) throws(CaptureError) {
        self.path = path
        guard
            let capture = unsafe pcap_open_dead_with_tstamp_precision(
                DLT_EN10MB, Int32(clamping: snapshotLength), UInt32(PCAP_TSTAMP_PRECISION_MICRO))
        else { throw .cannotCreate(file: path, reason: errnoText(ENOMEM)) }
        guard let dumper = unsafe pcap_dump_open(capture, path) else {
            var reason = unsafe String(cString: pcap_geterr(capture))
            unsafe pcap_close(capture)
            if reason.hasPrefix(path + ": ") { reason.removeFirst(path.count + 2) }
            throw .cannotCreate(file: path, reason: reason)
        }
        unsafe self.capture = capture
        unsafe self.dumper = dumper
    }

    deinit {
        if !isClosed { unsafe pcap_dump_close(dumper) }
        unsafe pcap_close(capture)
    }

    /// Append a frame. Nanoseconds below a microsecond are cut off.
    public func write(_ bytes: PacketBytes, at timestamp: CaptureTimestamp) throws(CaptureError) {
        try unsafe write(UnsafePointer(bytes.pointer().assumingMemoryBound(to: UInt8.self)), bytes.count, timestamp)
    }

    /// Append a frame. Nanoseconds below a microsecond are cut off.
    public func write(_ bytes: [UInt8], at timestamp: CaptureTimestamp) throws(CaptureError) {
        let isWritten = unsafe bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return false }
            unsafe append(base, buffer.count, timestamp)
            return true
        }
        guard isWritten else { throw .cannotWrite(file: path, frame: framesWritten + 1, reason: "it has no bytes") }
        try check()
    }

    /// Write out what is buffered and close the file; nothing may be written afterwards.
    public func close() throws(CaptureError) {
        guard !isClosed else { return }
        isClosed = true
        let failed = unsafe pcap_dump_flush(dumper) != 0
        let reason = errnoText(errno)
        unsafe pcap_dump_close(dumper)
        if failed { throw .cannotWrite(file: path, frame: framesWritten, reason: reason) }
    }

    private func write(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, _ timestamp: CaptureTimestamp
    ) throws(CaptureError) {
        unsafe append(bytes, count, timestamp)
        try check()
    }

    private func append(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ timestamp: CaptureTimestamp) {
        precondition(!isClosed, "the capture is closed")
        var header = pcap_pkthdr()
        header.ts = timeval(tv_sec: Int(timestamp.seconds), tv_usec: Int(timestamp.nanoseconds / 1000))
        header.caplen = UInt32(count)
        header.len = UInt32(count)
        unsafe pcap_dump(UnsafeMutablePointer<UInt8>(dumper), &header, bytes)
        framesWritten += 1
    }

    /// `pcap_dump` tells nothing; the stream behind it remembers that it failed.
    private func check() throws(CaptureError) {
        guard let stream = unsafe pcap_dump_file(dumper), unsafe ferror(stream) != 0 else { return }
        throw .cannotWrite(file: path, frame: framesWritten, reason: errnoText(errno))
    }
}
