import Foundation
import KenhMerge
import KenhProtocol

/// Keys on disk, in files that only their owner may read: the secret in hex, then the beginning of its public key, which
/// shows that no bit of it has changed. With a wrong key everything that is sealed would be refused by everybody.
enum SecretFile {
    /// Nothing stands at `path` before the whole key does, so that a full disk or a power cut leaves no damaged key.
    static func keep(_ key: SigningKey, at path: String) throws {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw Failure(
                .badData, "there is a key at \(path) already, which is never overwritten; choose another --home")
        }
        let draft = path + ".new"
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        guard descriptor >= 0 else { throw cannotWrite(path) }
        defer { unlink(draft) }
        let bytes = Array("\(key.secretBytes.hex) \(check(key))\n".utf8)
        let isWritten = write(descriptor, bytes, bytes.count) == bytes.count && fsync(descriptor) == 0
        guard close(descriptor) == 0, isWritten, rename(draft, path) == 0 else { throw cannotWrite(path) }
    }

    private static func check(_ key: SigningKey) -> String { String(key.publicKey.bytes.hex.prefix(16)) }

    private static func cannotWrite(_ path: String) -> Failure {
        let reason = String(cString: strerror(errno))
        return Failure(
            .disk, "the key file \(path) cannot be written (\(reason)); check the folder and the disk's free space")
    }

    /// The key at `path`; one is made where there is none, so that what was cut short can be done again.
    static func readOrMake(_ path: String, using random: inout some RandomNumberGenerator) throws -> SigningKey {
        if FileManager.default.fileExists(atPath: path) { return try read(path) }
        let key = try SigningKey(using: &random)
        try keep(key, at: path)
        return key
    }

    /// Where a key is kept until it takes the place of the one at `path`.
    static func next(_ path: String) -> String { path + ".next" }

    /// The key at `path`. Where a change of keys was cut short after the store had taken the new one, it is finished.
    /// - Parameter wanted: which the store says that it is; nil where it does not say.
    static func current(_ path: String, is wanted: PublicKey?) throws -> SigningKey {
        guard let wanted, FileManager.default.fileExists(atPath: next(path)) else { return try read(path) }
        let following = try read(next(path))
        guard following.publicKey == wanted else { return try read(path) }
        guard rename(next(path), path) == 0 else { throw cannotWrite(path) }
        return following
    }

    static func read(_ path: String) throws -> SigningKey {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(.noInput, "the key file \(path) is missing or may not be read; restore it from a backup")
        }
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        let parts = text.split(separator: " ")
        guard parts.count == 2, let bytes = [UInt8](hex: parts[0]), let key = try? SigningKey(bytes: bytes),
            check(key) == parts[1]
        else {
            throw Failure(.badData, "the key file \(path) is damaged; restore it from a backup")
        }
        return key
    }
}
