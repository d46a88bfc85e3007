import KenhMerge
import KenhProtocol
import KenhStore

/// An archive file that the log names.
public struct Archive: Sendable, Equatable {
    public let hash: Hash256
    public let channel: String
    /// Sequences of its first and last block.
    public let first: UInt64
    public let last: UInt64
    public let blocks: Int
    public let size: Int
    /// Whether the log still has what is in it.
    public let isRestored: Bool

    public init(
        hash: Hash256, channel: String, first: UInt64, last: UInt64, blocks: Int, size: Int, isRestored: Bool
    ) {
        (self.hash, self.channel, self.first, self.last) = (hash, channel, first, last)
        (self.blocks, self.size, self.isRestored) = (blocks, size, isRestored)
    }

    public var name: String { ArchiveShelf.name(of: hash) }
}

/// Bodies of old blocks in files of their own, so that the log stays small and a backup copies them once.
extension Hub {
    /// Of blocks in one file, by their bodies; a single block may be larger.
    static let archiveBytes = 64 << 20
    private static let pageBytes = 4 << 20

    /// Moves the bodies of a channel's blocks into a file: those behind the last archive that were accepted before a time,
    /// and that a snapshot covers, so that hardly anybody asks for them.
    ///
    /// - Returns: nil where there is nothing to be moved.
    /// - Throws: `StoreError`: `diskFull`, `io`; nothing is changed then.
    public func archive(
        _ channel: String, acceptedBefore milliseconds: Int64, on shelf: ArchiveShelf
    ) throws -> Archive? {
        let reach = try archiveReach(of: channel, acceptedBefore: milliseconds)
        guard reach.after < reach.upTo else { return nil }
        var blocks: [(sequence: UInt64, block: Block)] = []
        var (bytes, place) = (0, reach.after)
        reading: while place < reach.upTo {
            let page = try log.read { [place] in
                try $0.entries(channel: channel, after: place, limitBytes: Self.pageBytes)
            }
            for entry in page {
                guard entry.sequence <= reach.upTo else { break reading }
                if entry.hasBlock {
                    let block = try Block(try WireCoding.decode(WireBlock.self, from: entry.payload))
                    bytes += block.byteCount
                    if !blocks.isEmpty, bytes > Self.archiveBytes { break reading }
                    blocks.append((entry.sequence, block))
                }
                place = entry.sequence
            }
            guard !page.isEmpty else { break }
        }
        guard !blocks.isEmpty else { return nil }
        let file = try ArchiveFile(organisation: identity.organisation, channel: channel, blocks)
        try shelf.put(file.bytes, as: file.hash)
        return try log.write { transaction in
            for record in file.records {
                guard try transaction.entry(channel: channel, sequence: record.sequence)?.proof.object == record.hash
                else {
                    throw HubError(
                        .logMismatch, "the log of \(channel) was restored while it was archived; do it again",
                        recovery: .retry)
                }
            }
            if try !transaction.contains(file.hash) {
                _ = try append(
                    NewEntry(kind: .archive, channel: channel, object: file.hash, acceptedAtMilliseconds: now()),
                    in: transaction)
            }
            return try transaction.move(file, isRestored: false)
        }
    }

    /// How many bytes of blocks could be moved.
    public func archivableBytes(of channel: String, acceptedBefore milliseconds: Int64) throws -> Int {
        let reach = try archiveReach(of: channel, acceptedBefore: milliseconds)
        guard reach.after < reach.upTo else { return 0 }
        return try log.read { try $0.payloadBytes(of: channel, after: reach.after, upTo: reach.upTo) }
    }

    /// Makes the log's file as small as what is in it.
    ///
    /// - Throws: `StoreError`: `busy`, `diskFull`: it takes as much space again while it is done.
    public func shrinkLog() throws { try log.scrub() }

    private func archiveReach(
        of channel: String, acceptedBefore milliseconds: Int64
    ) throws -> (after: UInt64, upTo: UInt64) {
        try log.read { transaction in
            let last = try transaction.archives().filter { $0.channel == channel }.map(\.last).max() ?? 0
            let covered = try newest(of: channel, transaction)?.manifest.sequence ?? 0
            return (last, min(covered, try transaction.lastSequence(of: channel, acceptedBefore: milliseconds)))
        }
    }

    /// Those whose blocks the log has, in the order of their channels and sequences.
    public func archives() throws -> [Archive] { try log.read { try $0.archives() } }

    /// Puts the bodies of a file's blocks back into the log. The file stays, and so does its entry.
    ///
    /// - Throws: `StoreError` with code `corrupt` where the file is missing or damaged.
    public func restore(_ archive: Archive, from shelf: ArchiveShelf) throws {
        guard let bytes = shelf.contents(of: archive.hash) else { throw shelf.missing(archive.hash) }
        let file = try ArchiveFile(decoding: bytes)
        _ = try log.write { try $0.move(file, isRestored: true) }
    }

    /// What is wrong with the files, for people; told of each as it is read.
    public func checkArchives(on shelf: ArchiveShelf, _ progress: (Archive) -> Void = { _ in }) throws -> [String] {
        try archives().compactMap { archive in
            progress(archive)
            guard let bytes = shelf.contents(of: archive.hash) else { return "\(shelf.missing(archive.hash))" }
            let file: ArchiveFile
            do { file = try ArchiveFile(decoding: bytes) } catch let error as ProtocolError {
                return "\(archive.name): \(error.message)"
            }
            guard file.organisation == identity.organisation, file.channel == archive.channel else {
                return "\(archive.name) is of another organisation or channel"
            }
            let isSame = try log.read { transaction in
                try file.records.allSatisfy {
                    try transaction.entry(channel: file.channel, sequence: $0.sequence)?.proof.object == $0.hash
                }
            }
            return isSame ? nil : "\(archive.name) has other blocks than the log"
        }
    }
}
