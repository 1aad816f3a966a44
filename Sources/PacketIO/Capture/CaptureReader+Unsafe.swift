import CPcap
import Glibc
import Wire

/// Reads a capture file, pcap or pcapng, with time stamps of micro- or nanoseconds, through libpcap. One thread.
@safe
public final class CaptureReader {
    /// The file's path, for messages.
    public let path: String
    /// Frames read so far.
    public private(set) var framesRead = 0
    private let capture: OpaquePointer
    /// A frame that was looked at and not yet taken; its bytes are libpcap's until the next read.
    private var waiting: (header: pcap_pkthdr, bytes: UnsafePointer<UInt8>)?

    /// Open the capture at `path`; "-" is the standard input.
    public init(path: String) throws(CaptureError) {
        self.path = path
        var capture: OpaquePointer?
        var reason = ""
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PCAP_ERRBUF_SIZE)) { message in
            unsafe message.initialize(repeating: 0)
            guard let text = message.baseAddress else { return }
            unsafe capture = pcap_open_offline_with_tstamp_precision(path, UInt32(PCAP_TSTAMP_PRECISION_NANO), text)
            unsafe reason = String(cString: text)
        }
        guard let opened = unsafe capture else {
            if reason.hasPrefix(path + ": ") { reason.removeFirst(path.count + 2) }
            throw .cannotOpen(file: path, reason: reason)
        }
        unsafe self.capture = opened
        let linkType = unsafe pcap_datalink(opened)
        guard linkType == DLT_EN10MB else {
            let name = unsafe pcap_datalink_val_to_name(linkType).map { unsafe String(cString: $0) }
            throw .notEthernet(file: path, linkType: name ?? String(linkType))
        }
    }

    deinit { unsafe pcap_close(capture) }

    /// When the next frame was captured; nil at the end of the file. The frame stays to be read.
    public func nextTimestamp() throws(CaptureError) -> CaptureTimestamp? {
        guard try look() else { return nil }
        return unsafe waiting.map { unsafe Self.timestamp($0.header) }
    }

    /// The next frame; nil at the end of the file.
    public func next() throws(CaptureError) -> CapturedFrame? {
        guard try look(), let (header, bytes) = unsafe take() else { return nil }
        return unsafe CapturedFrame(
            timestamp: Self.timestamp(header), originalLength: Int(header.len),
            bytes: Array(UnsafeBufferPointer(start: bytes, count: Int(header.caplen))))
    }

    /// Copy the next frame to `frame`'s buffer.
    /// - Returns: when it was captured; nil, and nothing changed, at the end of the file.
    func next(into frame: inout Frame) throws(CaptureError) -> CaptureTimestamp? {
        guard try look(), let (header, bytes) = unsafe take() else { return nil }
        let length = Int(header.caplen)
        guard length <= frame.writable.count else {
            throw .tooLong(file: path, frame: framesRead, bytes: length)
        }
        unsafe frame.writable.pointer().copyMemory(from: bytes, byteCount: length)
        frame.length = length
        return Self.timestamp(header)
    }

    /// Read a frame ahead unless one waits; false at the end of the file.
    private func look() throws(CaptureError) -> Bool {
        if unsafe waiting != nil { return true }
        var header: UnsafeMutablePointer<pcap_pkthdr>?
        var bytes: UnsafePointer<UInt8>?
        let status = unsafe pcap_next_ex(capture, &header, &bytes)
        if status == 1, let header = unsafe header, let bytes = unsafe bytes {
            unsafe waiting = unsafe (header.pointee, bytes)
            return true
        }
        guard status != PCAP_ERROR_BREAK else { return false }
        let reason = unsafe String(cString: pcap_geterr(capture))
        throw .corrupt(file: path, frame: framesRead + 1, reason: reason)
    }

    private func take() -> (header: pcap_pkthdr, bytes: UnsafePointer<UInt8>)? {
        defer { unsafe waiting = nil }
        framesRead += 1
        return unsafe waiting
    }

    /// libpcap puts nanoseconds where the structure says microseconds, as it was opened for them.
    private static func timestamp(_ header: pcap_pkthdr) -> CaptureTimestamp {
        CaptureTimestamp(seconds: Int64(header.ts.tv_sec), nanoseconds: Int64(header.ts.tv_usec))
    }
}
