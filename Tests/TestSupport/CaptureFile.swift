import Foundation

/// A capture file in the classic form of libpcap (pcap-savefile(5)), read without libpcap: either byte order, micro- or
/// nanoseconds.
public struct CaptureFile: Sendable {
    /// One frame.
    public struct Record: Hashable, Sendable {
        /// Seconds of its time.
        public var seconds: UInt32
        /// Microseconds of its time; those of a nanosecond capture are rounded down.
        public var microseconds: UInt32
        /// Its bytes.
        public var bytes: [UInt8]

        /// From its parts.
        public init(seconds: UInt32, microseconds: UInt32, bytes: [UInt8]) {
            self.seconds = seconds
            self.microseconds = microseconds
            self.bytes = bytes
        }
    }

    /// What is wrong with a capture.
    public struct Malformed: Error, Equatable, CustomStringConvertible {
        /// In words.
        public let description: String
    }

    /// Link type: 1 is Ethernet.
    public let linkType: UInt32
    /// The frames in order.
    public let records: [Record]

    /// The bytes of each frame.
    public var frames: [[UInt8]] { records.map(\.bytes) }

    /// Read a file.
    public init(path: String) throws {
        try self.init([UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
    }

    /// Read a capture that is in memory.
    public init(_ file: [UInt8]) throws {
        guard file.count >= 24 else { throw Malformed(description: "no capture: \(file.count) bytes") }
        let isLittle: Bool
        let isNanoseconds: Bool
        switch Self.number(file, 0, isLittle: true) {
        case 0xa1b2_c3d4: (isLittle, isNanoseconds) = (true, false)
        case 0xa1b2_3c4d: (isLittle, isNanoseconds) = (true, true)
        case 0xd4c3_b2a1: (isLittle, isNanoseconds) = (false, false)
        case 0x4d3c_b2a1: (isLittle, isNanoseconds) = (false, true)
        case let magic: throw Malformed(description: "no capture: magic \(String(magic, radix: 16))")
        }
        linkType = Self.number(file, 20, isLittle: isLittle) & 0xffff
        var records: [Record] = []
        var offset = 24
        while offset < file.count {
            guard offset + 16 <= file.count else { throw Malformed(description: "frame \(records.count) is cut off") }
            let length = Int(Self.number(file, offset + 8, isLittle: isLittle))
            guard offset + 16 + length <= file.count else {
                throw Malformed(description: "frame \(records.count) is cut off")
            }
            let fraction = Self.number(file, offset + 4, isLittle: isLittle)
            records.append(
                Record(
                    seconds: Self.number(file, offset, isLittle: isLittle),
                    microseconds: isNanoseconds ? fraction / 1000 : fraction,
                    bytes: Array(file[offset + 16..<offset + 16 + length])))
            offset += 16 + length
        }
        self.records = records
    }

    private static func number(_ bytes: [UInt8], _ offset: Int, isLittle: Bool) -> UInt32 {
        let four = bytes[offset..<offset + 4]
        return (isLittle ? Array(four.reversed()) : Array(four)).reduce(0) { $0 << 8 | UInt32($1) }
    }
}
