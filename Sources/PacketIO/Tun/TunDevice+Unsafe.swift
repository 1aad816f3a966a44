import CLinuxNet
import Glibc
public import Wire

/// A TUN device of our own, up; gone with its addresses and routes when the value is, however the process ends.
///
/// IP packets go both ways, each behind a virtio-net header of `headerLength` bytes (`linux/virtio_net.h`). What the host
/// sends by it comes whole and with complete checksums; what is written may be a super-frame and have a partial checksum.
public struct TunDevice: ~Copyable, Sendable {
    /// Bytes before each packet.
    public static var headerLength: Int { OffloadFacts.virtioHeaderLength }

    /// Readable when packets wait; calls on it do not block.
    let descriptor: Int32

    /// Make it in the calling thread's network namespace.
    public init(name: String) throws(TunError) {
        guard (1...15).contains(name.utf8.count), !name.contains(where: { $0 == "/" || $0.isWhitespace }) else {
            throw .badName(name)
        }
        let descriptor = unsafe CLinuxNet_openTun(name)
        switch -descriptor {
        case EBUSY, EEXIST: throw .nameInUse(name)
        case ENOENT, ENODEV, ENXIO: throw .noTunDevices
        case EACCES: throw .deviceFileClosed
        case EPERM: throw .notPermitted(name)
        case 1...: throw .system(name, errno: -descriptor)
        default: self.descriptor = descriptor
        }
    }

    deinit { close(descriptor) }

    /// Give a packet to the host's stack.
    ///
    /// - Parameter bytes: the header, then the packet.
    /// - Returns: whether the device took it.
    @_noAllocation @_noLocks
    public func write(_ bytes: PacketBytes) -> Bool {
        unsafe CLinuxNet_write(descriptor, bytes.pointer(), bytes.count) == bytes.count
    }

    /// Take a packet that the host sent: the header, then the packet, from the first of `bytes` on.
    ///
    /// - Returns: bytes of both; 0 when none waits.
    @_noAllocation @_noLocks
    func read(into bytes: PacketBytes) -> Int {
        max(0, unsafe CLinuxNet_read(descriptor, bytes.pointer(), bytes.count))
    }
}
