import Foundation

/// Writes a file that is there whole or not at all.
enum WholeFile {
    static func write<T>(to path: String, _ body: (FileHandle) throws -> T) throws -> T {
        let part = path + ".part"
        guard FileManager.default.createFile(atPath: part, contents: nil, attributes: [.posixPermissions: 0o600]),
            let handle = FileHandle(forWritingAtPath: part)
        else { throw Failure(.disk, "\(path) cannot be written; check the folder and its permissions") }
        do {
            let result = try body(handle)
            try handle.synchronize()
            try handle.close()
            try FileManager.default.moveItem(atPath: part, toPath: path)
            return result
        } catch {
            try? handle.close()
            try? FileManager.default.removeItem(atPath: part)
            throw error
        }
    }
}
