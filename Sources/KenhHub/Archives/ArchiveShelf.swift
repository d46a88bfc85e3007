import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// Archive files by their hashes: in one folder that is written to, and in others that are looked in, such as a backup's.
public struct ArchiveShelf: Sendable {
    public let folders: [URL]

    /// - Parameter folders: at least one; the first is written to.
    public init(_ folders: URL...) { self.folders = folders }

    static func name(of hash: Hash256) -> String { "\(hash.bytes.hex).kenha" }

    private func file(_ hash: Hash256) -> URL? {
        folders.map { $0.appending(path: Self.name(of: hash)) }.first {
            FileManager.default.fileExists(atPath: $0.path)
        }
    }

    /// Durable when this returns.
    ///
    /// - Throws: `StoreError`: `diskFull`, `io`.
    package func put(_ bytes: [UInt8], as hash: Hash256) throws {
        guard file(hash) == nil else { return }
        let place = folders[0].appending(path: Self.name(of: hash))
        let part = folders[0].appending(path: "\(Self.name(of: hash)).part")
        do {
            try FileManager.default.createDirectory(
                at: folders[0], withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch { throw StoreError(.io, "the folder \(folders[0].path) cannot be made: \(error)") }
        try BlobFile.writeWhole(bytes, to: part.path, thenMoveTo: place.path)
    }

    /// The bytes of a file that has the hash; nil where there is none, or it was altered.
    func contents(of hash: Hash256) -> [UInt8]? {
        for folder in folders {
            guard let bytes = try? Data(contentsOf: folder.appending(path: Self.name(of: hash))),
                Hashing.sha256(domain: .archive, Array(bytes)) == hash
            else { continue }
            return Array(bytes)
        }
        return nil
    }

    /// One record. What it says is checked by whoever knows the block's hash.
    ///
    /// - Throws: `StoreError` with code `corrupt` where the file is not there, or ends before.
    package func record(of hash: Hash256, start: Int, size: Int) throws -> [UInt8] {
        guard let file = file(hash), let handle = try? FileHandle(forReadingFrom: file) else { throw missing(hash) }
        defer { try? handle.close() }
        guard (try? handle.seek(toOffset: UInt64(start))) != nil,
            let bytes = try? handle.read(upToCount: size), bytes.count == size
        else { throw missing(hash) }
        return Array(bytes)
    }

    func missing(_ hash: Hash256) -> StoreError {
        StoreError(
            .corrupt, "the archive file \(Self.name(of: hash)) is missing or damaged",
            advice: "put it back into \(folders[0].path) from a backup; kenh central archive verify checks all")
    }

    /// Of all files that are there and are what their names say.
    public func hashes() -> [Hash256] {
        let names = folders.flatMap { (try? FileManager.default.contentsOfDirectory(atPath: $0.path)) ?? [] }
        return Set(names).sorted().compactMap { name in
            guard name.hasSuffix(".kenha") else { return nil }
            return [UInt8](hex: name.dropLast(6)).flatMap { Hash256(bytes: $0) }
        }
    }

    /// Copies a file that is in another folder into the one that is written to.
    public func takeIn() throws {
        for hash in hashes() {
            let place = folders[0].appending(path: Self.name(of: hash))
            guard !FileManager.default.fileExists(atPath: place.path), let bytes = contents(of: hash) else { continue }
            try ArchiveShelf(folders[0]).put(bytes, as: hash)
        }
    }
}
