import Foundation

/// A path that is gone when the value is.
final class TemporaryFile {
    let path: String

    init(_ bytes: [UInt8]? = nil) throws {
        path = NSTemporaryDirectory() + "fairlead-\(getpid())-\(UUID().uuidString).pcap"
        if let bytes { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
    }

    deinit { unlink(path) }

    func bytes() throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
}

/// pcap files written byte by byte, little-endian (https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/).
enum CaptureBytes {
    static let microseconds: UInt32 = 0xa1b2_c3d4
    static let nanoseconds: UInt32 = 0xa1b2_3c4d

    static func little(_ values: [UInt32]) -> [UInt8] {
        values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    }

    static func header(_ magic: UInt32, linkType: UInt32 = 1) -> [UInt8] {
        little([magic, 0x0004_0002, 0, 0, 65535, linkType])
    }

    static func record(_ seconds: UInt32, _ fraction: UInt32, _ bytes: [UInt8], length: Int? = nil) -> [UInt8] {
        little([seconds, fraction, UInt32(bytes.count), UInt32(length ?? bytes.count)]) + bytes
    }
}
