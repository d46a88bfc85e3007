import KenhMerge
import KenhProtocol

/// A checkpoint of the centre's log as it was signed: what the log once was can be held against what it is.
public struct KeptCheckpoint: Sendable, Equatable {
    public let checkpoint: Checkpoint
    /// The signed note.
    public let note: String
    public let atMilliseconds: Int64
    /// Whether the log, in the same life, is not what this says: it is kept as proof against the centre.
    public let isContradicted: Bool

    public init(checkpoint: Checkpoint, note: String, atMilliseconds: Int64, isContradicted: Bool = false) {
        self.checkpoint = checkpoint
        self.note = note
        self.atMilliseconds = atMilliseconds
        self.isContradicted = isContradicted
    }

    /// - Throws: ``ProtocolError`` unless one of the keys signed it.
    public init(
        note: String, keys: ServingKeys, atMilliseconds: Int64, isContradicted: Bool = false
    ) throws(ProtocolError) {
        let checkpoint = try Checkpoint(try SignedNote(decoding: note), keys: keys)
        self.init(
            checkpoint: checkpoint, note: note, atMilliseconds: atMilliseconds, isContradicted: isContradicted)
    }
}

/// The checkpoints that a store keeps: the last of each day, and whatever contradicts another.
struct CheckpointTable {
    let sql: StatementCache

    private static let dayMilliseconds: Int64 = 86_400_000

    /// The last that was shown, even where it contradicted the one before: whoever alternates is found out each time.
    func newest() throws -> KeptCheckpoint? { try newestLine()?.kept }

    private func newestLine() throws -> (number: Int64, kept: KeptCheckpoint)? {
        let read = try sql("SELECT note, at, is_contradicted, number FROM kenh_checkpoint ORDER BY number DESC LIMIT 1")
        defer { read.reset() }
        return try read.step() ? (read.int(3), try Self.checkpoint(read)) : nil
    }

    func all() throws -> [KeptCheckpoint] {
        let read = try sql("SELECT note, at, is_contradicted FROM kenh_checkpoint ORDER BY number")
        defer { read.reset() }
        var all: [KeptCheckpoint] = []
        while try read.step() { all.append(try Self.checkpoint(read)) }
        return all
    }

    private static func checkpoint(_ read: Statement) throws -> KeptCheckpoint {
        let note = read.string(0)
        return KeptCheckpoint(
            checkpoint: try Checkpoint(text: SignedNote(decoding: note).text), note: note,
            atMilliseconds: read.int(1), isContradicted: read.int(2) != 0)
    }

    /// Keeps one unless a newer one of the same life is kept, as it is where another process was quicker.
    func keep(_ kept: KeptCheckpoint) throws {
        if kept.isContradicted { return try keepAsProof(kept) }
        if let (number, newest) = try newestLine(), newest.checkpoint.origin == kept.checkpoint.origin {
            guard newest.checkpoint.size < kept.checkpoint.size else { return }
            let isSameDay = newest.atMilliseconds / Self.dayMilliseconds == kept.atMilliseconds / Self.dayMilliseconds
            if isSameDay, !newest.isContradicted { try forget(number) }
        }
        try insert(kept)
    }

    private func keepAsProof(_ kept: KeptCheckpoint) throws {
        let update = try sql("UPDATE kenh_checkpoint SET is_contradicted = 1 WHERE note = ?")
        update.bind(1, copying: kept.note)
        try update.run()
        let read = try sql("SELECT 1 FROM kenh_checkpoint WHERE note = ?")
        read.bind(1, copying: kept.note)
        let isKept = try read.step()
        read.reset()
        if !isKept { try insert(kept) }
    }

    private func forget(_ number: Int64) throws {
        let delete = try sql("DELETE FROM kenh_checkpoint WHERE number = ?")
        delete.bind(1, number)
        try delete.run()
    }

    private func insert(_ kept: KeptCheckpoint) throws {
        let insert = try sql("INSERT INTO kenh_checkpoint(note, at, is_contradicted) VALUES(?, ?, ?)")
        insert.bind(1, copying: kept.note)
        insert.bind(2, kept.atMilliseconds)
        insert.bind(3, kept.isContradicted ? 1 : 0)
        try insert.run()
    }
}

extension Store {
    /// The checkpoints that are kept, oldest first.
    public func checkpoints() throws(StoreError) -> [KeptCheckpoint] {
        try reading { try CheckpointTable(sql: $0.sql).all() }
    }

    /// Keeps two that cannot both be true, as proof against the centre, and tells people.
    public func keep(contradiction first: KeptCheckpoint, _ second: KeptCheckpoint) throws(StoreError) {
        try transaction { _, core in
            let table = CheckpointTable(sql: core.sql)
            for kept in [first, second] {
                try table.keep(
                    KeptCheckpoint(
                        checkpoint: kept.checkpoint, note: kept.note, atMilliseconds: kept.atMilliseconds,
                        isContradicted: true))
            }
            // Two roots for one size prove it to anybody; else it may be the proof alone that was bad.
            let isProof = first.checkpoint.size == second.checkpoint.size
            try core.noticeOnce(
                "contradiction", at: now,
                "the centre \(isProof ? "signed" : "does not show") that its log of \(second.checkpoint.size) entries "
                    + "\(isProof ? "is not" : "goes on from") the \(first.checkpoint.size) that it had shown: it was "
                    + "rewritten\(isProof ? "" : ", or it cannot prove otherwise"); both of its signed checkpoints are "
                    + "kept (kenh audit checkpoints)")
        }
    }
}
