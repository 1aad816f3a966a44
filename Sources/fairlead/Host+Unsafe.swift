import Foundation
import Glibc

/// What the daemon reads from and tells the host around it.
enum Host {
    /// Whether the host forwards IPv4 packets.
    static var forwards: Bool {
        FileManager.default.contents(atPath: "/proc/sys/net/ipv4/ip_forward")?.first == UInt8(ascii: "1")
    }

    /// Say that the program serves: a line on standard output, and systemd where it asked (`sd_notify(3)`).
    static func announceReady(_ line: String) {
        FileHandle.standardOutput.write(Data("\(line)\n".utf8))
        if let socket = ProcessInfo.processInfo.environment["NOTIFY_SOCKET"] { notify(socket) }
    }

    private static func notify(_ path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { buffer in
            for (offset, byte) in bytes.enumerated() {
                // A leading @ stands for the abstract namespace.
                unsafe buffer[offset] = offset == 0 && byte == UInt8(ascii: "@") ? 0 : byte
            }
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let message = Array("READY=1".utf8)
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = unsafe sendto(descriptor, message, message.count, 0, pointer, length)
            }
        }
    }
}
