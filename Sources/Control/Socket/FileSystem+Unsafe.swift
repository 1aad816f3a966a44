import Glibc

/// What a path is, as far as a control socket is concerned.
struct FileStatus {
    /// Whether it is a socket.
    let isSocket: Bool
    /// Whether it is a folder.
    let isFolder: Bool
    /// The inode's number.
    let inode: UInt64
    /// The owner.
    let owner: UInt32
    /// The permission bits.
    let permissions: UInt32

    /// Nil when there is nothing; symbolic links are followed when asked to.
    init?(_ path: String, followLinks: Bool = false) {
        var status = stat()
        guard unsafe (followLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        isSocket = status.st_mode & S_IFMT == S_IFSOCK
        isFolder = status.st_mode & S_IFMT == S_IFDIR
        inode = UInt64(status.st_ino)
        owner = status.st_uid
        permissions = status.st_mode & 0o7777
    }
}

/// The few calls on paths that a control socket needs.
enum FileSystem {
    /// Make a folder; true when it is there afterwards.
    static func makeFolder(_ path: String, permissions: UInt32) -> Bool {
        unsafe mkdir(path, permissions) == 0 || errno == EEXIST
    }

    /// Whether this process may put files into a folder.
    static func isWritable(_ path: String) -> Bool { unsafe access(path, W_OK | X_OK) == 0 }

    static func move(_ from: String, to: String) -> Bool { unsafe rename(from, to) == 0 }

    static func remove(_ path: String) { _ = unsafe unlink(path) }

    /// The user this process acts as.
    static var user: UInt32 { geteuid() }
}
