import Foundation
import KenhMerge
import KenhProtocol

/// Keys on disk: hex in files that only their owner may read.
enum SecretFile {
    static func write(_ key: SigningKey, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else {
            throw Failure(.disk, "the key file \(path) cannot be made: \(String(cString: strerror(errno)))")
        }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        try handle.write(contentsOf: Data((key.secretBytes.hex + "\n").utf8))
        guard fsync(descriptor) == 0 else { throw Failure(.disk, "the key file \(path) cannot be written") }
    }

    static func read(_ path: String) throws -> SigningKey {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(.noInput, "the key file \(path) is missing or may not be read; restore it from a backup")
        }
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard let bytes = [UInt8](hex: text), let key = try? SigningKey(bytes: bytes) else {
            throw Failure(.badData, "the key file \(path) is damaged; restore it from a backup")
        }
        return key
    }
}
