import Foundation
import KenhMerge
import KenhProtocol

/// An open file. Errors are in a store's words, since the disk is the same.
package struct BlobFile: ~Copyable {
    private let descriptor: Int32
    private let path: String
    private static let chunkBytes = 1 << 18

    init(_ path: String, _ flags: Int32) throws(StoreError) {
        self.path = path
        descriptor = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Self.failure(path) }
    }

    deinit { close(descriptor) }

    // MARK: content

    func read(from offset: UInt64, limit: Int) throws(StoreError) -> [UInt8] {
        guard let start = off_t(exactly: offset) else { return [] }
        var bytes = [UInt8](repeating: 0, count: max(limit, 0))
        var count = 0
        while count < bytes.count {
            let found = bytes.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count, start + off_t(count))
            }
            if found < 0, errno == EINTR { continue }
            guard found >= 0 else { throw Self.failure(path) }
            guard found > 0 else { break }
            count += found
        }
        bytes.removeSubrange(count...)
        return bytes
    }

    func hash() throws(StoreError) -> Hash256 {
        var hash = RunningHash()
        var offset: UInt64 = 0
        while true {
            let bytes = try read(from: offset, limit: Self.chunkBytes)
            guard !bytes.isEmpty else { return hash.finish() }
            bytes.withUnsafeBytes { hash.update($0) }
            offset += UInt64(bytes.count)
        }
    }

    func write(_ bytes: [UInt8], at offset: UInt64) throws(StoreError) {
        var count = 0
        while count < bytes.count {
            let written = bytes.withUnsafeBytes { buffer in
                pwrite(
                    descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count,
                    off_t(clamping: offset) + off_t(count))
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw Self.failure(path) }
            count += written
        }
    }

    func cut(to size: UInt64) throws(StoreError) {
        guard ftruncate(descriptor, off_t(clamping: size)) == 0 else { throw Self.failure(path) }
    }

    func sync() throws(StoreError) {
        guard fsync(descriptor) == 0 else { throw Self.failure(path) }
    }

    // MARK: by path

    /// Nil where there is no file.
    static func size(_ path: String) throws(StoreError) -> UInt64? {
        try status(path).map { UInt64(clamping: $0.st_size) }
    }

    static func changedAtMilliseconds(_ path: String) throws(StoreError) -> Int64 {
        guard let status = try status(path) else { return 0 }
        #if canImport(Darwin)
            return Int64(status.st_mtimespec.tv_sec) * 1000
        #else
            return Int64(status.st_mtim.tv_sec) * 1000
        #endif
    }

    private static func status(_ path: String) throws(StoreError) -> stat? {
        var status = stat()
        if lstat(path, &status) == 0 { return status }
        guard errno == ENOENT || errno == ENOTDIR else { throw failure(path) }
        return nil
    }

    /// Empty where there is no folder.
    static func names(in folder: String) throws(StoreError) -> [String] {
        guard FileManager.default.fileExists(atPath: folder) else { return [] }
        do { return try FileManager.default.contentsOfDirectory(atPath: folder).sorted() } catch {
            throw StoreError(.io, "the folder \(folder) cannot be read", advice: "check its permissions")
        }
    }

    /// That there is none is no error.
    static func remove(_ path: String) throws(StoreError) {
        guard unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR else { throw failure(path) }
    }

    /// A file that is all there or not at all, and durable when this returns.
    ///
    /// - Parameters:
    ///   - part: where it is written first; what is there is replaced.
    package static func writeWhole(
        _ bytes: [UInt8], to part: String, thenMoveTo target: String
    ) throws(StoreError) {
        do throws(StoreError) {
            let file = try BlobFile(part, O_WRONLY | O_CREAT | O_TRUNC)
            try file.write(bytes, at: 0)
            try file.sync()
            try move(part, to: target)
        } catch {
            _ = unlink(part)
            throw error
        }
    }

    /// Durable when it returns.
    static func move(_ path: String, to target: String) throws(StoreError) {
        guard rename(path, target) == 0 else { throw failure(target) }
        try syncFolder((target as NSString).deletingLastPathComponent)
    }

    static func syncFolder(_ path: String) throws(StoreError) {
        let folder = open(path.isEmpty ? "." : path, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { throw failure(path) }
        defer { close(folder) }
        // A file system that cannot sync folders says EINVAL, and has nothing to sync.
        guard fsync(folder) == 0 || errno == EINVAL else { throw failure(path) }
    }

    private static func failure(_ path: String) -> StoreError {
        let code = errno
        let reason = String(cString: strerror(code))
        switch code {
        case ENOSPC, EDQUOT, EFBIG:
            return StoreError(
                .diskFull, "the disk is full", advice: "free some space; what was there is unchanged", recovery: .retry)
        case EACCES, EPERM, EROFS:
            return StoreError(
                .readOnly, "\(path) cannot be read or written (\(reason))", advice: "check the folder's permissions")
        case ENOENT:
            return StoreError(.notFound, "there is no file \(path)", advice: "it may have been removed meanwhile")
        default: return StoreError(.io, "\(path) cannot be read or written (\(reason))", advice: "check the disk")
        }
    }
}
