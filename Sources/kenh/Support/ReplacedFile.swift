import Foundation

/// A database's file that makes place for another one, and is kept beside it.
enum ReplacedFile {
    /// Removes a file that is being made, and its journal.
    static func remove(_ path: String) {
        for file in [path, path + "-journal"] { try? FileManager.default.removeItem(atPath: file) }
    }

    /// Copies a database with what may have to be rolled back in it. Durable when this returns.
    static func copy(_ path: String, to new: String) throws {
        remove(new)
        do {
            for suffix in ["-journal", ""] where FileManager.default.fileExists(atPath: path + suffix) {
                try FileManager.default.copyItem(atPath: path + suffix, toPath: new + suffix)
                try sync(new + suffix)
            }
        } catch let error as CocoaError {
            throw Failure(.disk, "\(path) cannot be copied to \(new): \(error.localizedDescription)")
        }
    }

    /// - Returns: where the file that was there is now; nil where there was none.
    @discardableResult
    static func exchange(_ path: String, for new: String, keptAs word: String) throws -> String? {
        var kept = "\(path).\(word)"
        var number = 1
        while FileManager.default.fileExists(atPath: kept) {
            number += 1
            kept = "\(path).\(word)-\(number)"
        }
        let isThere = FileManager.default.fileExists(atPath: path)
        try? FileManager.default.moveItem(atPath: path + "-journal", toPath: kept + "-journal")
        // All that was in it is in the file by now.
        try? FileManager.default.removeItem(atPath: new + "-journal")
        if isThere { try FileManager.default.moveItem(atPath: path, toPath: kept) }
        try FileManager.default.moveItem(atPath: new, toPath: path)
        try sync(URL(fileURLWithPath: path).deletingLastPathComponent().path)
        return isThere ? kept : nil
    }

    private static func sync(_ path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw Failure(.disk, "\(path) cannot be written for good (\(String(cString: strerror(errno))))")
        }
    }
}
