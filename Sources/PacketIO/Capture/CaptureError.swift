/// What is wrong with a capture file. The description is one line that names the file, and the frame where there is one;
/// frames count from 1, as Wireshark and tcpdump do.
public enum CaptureError: Error, Hashable, Sendable {
    /// The file could not be opened, or is no capture.
    case cannotOpen(file: String, reason: String)
    /// The frames are not Ethernet; `linkType` is the name that libpcap gives them, or their number.
    case notEthernet(file: String, linkType: String)
    /// The file ends within frame `frame`, or what describes that frame makes no sense.
    case corrupt(file: String, frame: Int, reason: String)
    /// Frame `frame` is longer than a frame buffer.
    case tooLong(file: String, frame: Int, bytes: Int)
    /// The file could not be created.
    case cannotCreate(file: String, reason: String)
    /// Writing failed; what was written before frame `frame` may be incomplete.
    case cannotWrite(file: String, frame: Int, reason: String)
}

extension CaptureError: CustomStringConvertible {
    /// One line.
    public var description: String {
        switch self {
        case .cannotOpen(let file, let reason): "\(file): cannot read this capture: \(reason)"
        case .notEthernet(let file, let linkType):
            "\(file): link type is \(linkType); only Ethernet captures can be read"
        case .corrupt(let file, let frame, let reason): "\(file): frame \(frame): \(reason)"
        case .tooLong(let file, let frame, let bytes):
            "\(file): frame \(frame): \(bytes) bytes are more than a frame of \(FrameBuffers.largestFrame)"
        case .cannotCreate(let file, let reason): "\(file): cannot create this capture: \(reason)"
        case .cannotWrite(let file, let frame, let reason): "\(file): cannot write frame \(frame): \(reason)"
        }
    }
}
