import Foundation
import KenhMerge
import KenhProtocol

/// Snapshots in a folder: for each channel its manifests, and chunks by their hashes. All of it can be made again from
/// the log, so nothing is synced, and what does not have its hash is as good as not there.
public struct SnapshotShelf: Sendable {
    public let folder: URL

    public init(folder: URL) { self.folder = folder }

    private func place(of channel: String) -> URL {
        folder.appending(path: Hashing.sha256(domain: .snapshot, Array(channel.utf8)).bytes.prefix(16).hex)
    }

    private func file(_ hash: Hash256, _ kind: String, in channel: String) -> URL {
        place(of: channel).appending(path: "\(hash.bytes.hex).\(kind)")
    }

    // MARK: manifests

    /// The newest first.
    public func manifests(of channel: String) -> [SnapshotManifest] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: place(of: channel).path)) ?? []
        return files.filter { $0.hasSuffix(".manifest") }.compactMap { name -> SnapshotManifest? in
            guard let bytes = try? Data(contentsOf: place(of: channel).appending(path: name)),
                let manifest = try? SnapshotManifest(decoding: Array(bytes)), manifest.channel == channel,
                name == "\(manifest.hash.bytes.hex).manifest"
            else { return nil }
            return manifest
        }.sorted { $0.sequence > $1.sequence }
    }

    /// - Throws: ``HubError`` with code `diskFull` or `unavailable`.
    func put(_ manifest: SnapshotManifest) throws {
        try write(manifest.encoded, to: file(manifest.hash, "manifest", in: manifest.channel))
    }

    /// Removes what none of these names.
    func prune(_ channel: String, keeping kept: [SnapshotManifest]) {
        var names = Set(kept.flatMap { manifest in manifest.chunks.map { "\($0.hash.bytes.hex).chunk" } })
        for manifest in kept {
            for kind in ["manifest", "cells"] { names.insert("\(manifest.hash.bytes.hex).\(kind)") }
        }
        let folder = place(of: channel)
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        where !names.contains(name) { try? FileManager.default.removeItem(at: folder.appending(path: name)) }
    }

    // MARK: chunks

    func contains(_ chunk: Hash256, in channel: String) -> Bool {
        FileManager.default.fileExists(atPath: file(chunk, "chunk", in: channel).path)
    }

    /// One zstd frame, as it travels; nil where it is not there or damaged.
    func chunk(_ chunk: SnapshotManifest.Chunk, in channel: String) -> [UInt8]? {
        guard let packed = try? Data(contentsOf: file(chunk.hash, "chunk", in: channel)),
            let plain = try? Zstandard().decompress(Array(packed), plainSize: chunk.size),
            SnapshotChunk.hash(plain) == chunk.hash
        else { return nil }
        return Array(packed)
    }

    func put(_ packed: [UInt8], as hash: Hash256, in channel: String) throws {
        try write(packed, to: file(hash, "chunk", in: channel))
    }

    // MARK: who made it again

    /// Codes of the cells whose devices found it the same.
    public func cells(of snapshot: Hash256, in channel: String) -> [String] {
        let text = (try? String(contentsOf: file(snapshot, "cells", in: channel), encoding: .utf8)) ?? ""
        return Set(text.split(separator: "\n").map(String.init)).sorted()
    }

    func note(_ cell: String, of snapshot: Hash256, in channel: String) throws {
        let cells = cells(of: snapshot, in: channel)
        guard !cells.contains(cell) else { return }
        let text = (cells + [cell]).joined(separator: "\n") + "\n"
        try write(Array(text.utf8), to: file(snapshot, "cells", in: channel))
    }

    private func write(_ bytes: [UInt8], to file: URL) throws {
        do {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(bytes).write(to: file, options: .atomic)
        } catch {
            throw HubError(.unavailable, "a snapshot cannot be written to \(file.path): \(error)", recovery: .retry)
        }
    }
}
