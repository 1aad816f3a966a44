import CLinuxNet
import Wire

/// The virtio-net header of a packet socket: flags (0), kind of segmentation (1), header length (2), segment size (4),
/// checksum start (6), checksum offset (8); 10 bytes in the byte order of the machine (`linux/virtio_net.h`).
extension OffloadFacts {
    /// Bytes of the header.
    static var virtioHeaderLength: Int {
        @_noAllocation @_noLocks get { 10 }
    }

    /// Read the header at `header`.
    @_noAllocation @_noLocks
    init(virtioHeader header: UnsafeRawPointer) {
        self.init()
        let flags = unsafe header.load(fromByteOffset: 0, as: UInt8.self)
        needsChecksum = flags & UInt8(VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0
        isChecksumValid = flags & UInt8(VIRTIO_NET_HDR_F_DATA_VALID) != 0
        segmentation = unsafe header.load(fromByteOffset: 1, as: UInt8.self)
        headerLength = unsafe header.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
        segmentSize = unsafe header.loadUnaligned(fromByteOffset: 4, as: UInt16.self)
        checksumStart = unsafe header.loadUnaligned(fromByteOffset: 6, as: UInt16.self)
        checksumOffset = unsafe header.loadUnaligned(fromByteOffset: 8, as: UInt16.self)
    }

    /// Write the header to `header`. `isChecksumValid` says something about a received frame only and is left out.
    @_noAllocation @_noLocks
    func writeVirtioHeader(to header: UnsafeMutableRawPointer) {
        let flags = needsChecksum ? UInt8(VIRTIO_NET_HDR_F_NEEDS_CSUM) : 0
        unsafe header.storeBytes(of: flags, toByteOffset: 0, as: UInt8.self)
        unsafe header.storeBytes(of: segmentation, toByteOffset: 1, as: UInt8.self)
        unsafe header.storeBytes(of: headerLength, toByteOffset: 2, as: UInt16.self)
        unsafe header.storeBytes(of: segmentSize, toByteOffset: 4, as: UInt16.self)
        unsafe header.storeBytes(of: checksumStart, toByteOffset: 6, as: UInt16.self)
        unsafe header.storeBytes(of: checksumOffset, toByteOffset: 8, as: UInt16.self)
    }
}
