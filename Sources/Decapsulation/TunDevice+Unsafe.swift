import CLinuxNet
import Glibc
import Wire

/// A TUN device of our own; gone when the value is, however the process ends.
struct TunDevice: ~Copyable {
    /// Bytes before each packet: flags (0), kind of segmentation (1), header length (2), segment size (4), checksum start (6)
    /// and offset (8), in the machine's byte order (`linux/virtio_net.h`).
    static let headerLength = 10

    private let descriptor: Int32

    /// Make it.
    init(name: String) throws(DecapsulationError) {
        guard (1...15).contains(name.utf8.count), !name.contains(where: { $0 == "/" || $0.isWhitespace }) else {
            throw .badName(name)
        }
        let descriptor = unsafe CLinuxNet_openTun(name)
        switch -descriptor {
        case EBUSY, EEXIST: throw .nameInUse(name)
        case ENOENT, ENODEV, ENXIO: throw .noTunDevices
        case EACCES: throw .deviceFileClosed
        case 1...: throw DecapsulationError("make the TUN device \(name)", errno: -descriptor, needs: "CAP_NET_ADMIN")
        default: self.descriptor = descriptor
        }
    }

    deinit { close(descriptor) }

    /// Give a packet to the host's stack. The bytes before it are overwritten.
    ///
    /// - Parameters:
    ///   - bytes: `headerLength` bytes or more, then the packet.
    ///   - inner: the packet in `bytes`.
    /// - Returns: whether the device took it.
    func deliver(_ bytes: PacketBytes, _ inner: InnerPacket) -> Bool {
        let framed = bytes.dropping(inner.offset - Self.headerLength).prefix(Self.headerLength + inner.length)
        framed.zero(0, Self.headerLength)
        if let partial = inner.partialChecksum {
            framed[0] = UInt8(VIRTIO_NET_HDR_F_NEEDS_CSUM)
            framed.store(UInt16(truncatingIfNeeded: partial.start).bigEndian, 6)
            framed.store(UInt16(truncatingIfNeeded: partial.field - partial.start).bigEndian, 8)
        }
        return unsafe CLinuxNet_write(descriptor, framed.pointer(), framed.count) == framed.count
    }
}
