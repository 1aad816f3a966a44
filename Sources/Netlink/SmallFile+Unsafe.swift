import SystemPackage

/// The first bytes of a small file; none when it cannot be read.
func readFile(_ path: String) -> [UInt8] {
    guard let file = try? FileDescriptor.open(FilePath(path), .readOnly) else { return [] }
    defer { try? file.close() }
    return unsafe [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
        count = unsafe (try? file.read(into: UnsafeMutableRawBufferPointer(buffer))) ?? 0
    }
}

/// Take what waits in a pipe, 64 bytes at most.
func drainPipe(_ pipe: FileDescriptor) {
    unsafe withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
        _ = unsafe try? pipe.read(into: buffer)
    }
}
