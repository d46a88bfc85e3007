import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

extension SQLiteLog {
    /// What came with format 6, too: files with the bodies of old blocks, and where each body stands in one.
    static let archiveDDL = """
        CREATE TABLE log_archive(
            number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, channel TEXT NOT NULL, first INTEGER NOT NULL,
            last INTEGER NOT NULL, blocks INTEGER NOT NULL, size INTEGER NOT NULL, is_restored INTEGER NOT NULL) STRICT;
        CREATE TABLE log_body(
            position INTEGER PRIMARY KEY, archive INTEGER NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL) STRICT;
        """
}

extension SQLiteLogTransaction {
    func archives() throws -> [Archive] {
        let read = try sql(
            "SELECT hash, channel, first, last, blocks, size, is_restored FROM log_archive ORDER BY channel, first")
        defer { read.reset() }
        var found: [Archive] = []
        while try read.step() {
            guard let hash = Hash256(bytes: read.bytes(0)) else { throw damaged }
            found.append(
                Archive(
                    hash: hash, channel: read.string(1), first: UInt64(clamping: read.int(2)),
                    last: UInt64(clamping: read.int(3)), blocks: Int(read.int(4)), size: Int(read.int(5)),
                    isRestored: read.int(6) != 0))
        }
        return found
    }

    func move(_ file: ArchiveFile, isRestored: Bool) throws -> Archive {
        let archive = Archive(
            hash: file.hash, channel: file.channel, first: file.records.first?.sequence ?? 0,
            last: file.records.last?.sequence ?? 0, blocks: file.records.count, size: file.bytes.count,
            isRestored: isRestored)
        let number = try note(archive)
        for record in file.records {
            guard let position = try position(channel: file.channel, sequence: record.sequence) else { throw damaged }
            if isRestored {
                try putBack(file, record, at: position)
            } else {
                try takeOut(record, at: position, into: number)
            }
        }
        return archive
    }

    private func note(_ archive: Archive) throws -> Int64 {
        let write = try sql(
            """
            INSERT INTO log_archive(hash, channel, first, last, blocks, size, is_restored) VALUES(?, ?, ?, ?, ?, ?, ?7)
            ON CONFLICT(hash) DO UPDATE SET is_restored = ?7 RETURNING number
            """)
        defer { write.reset() }
        write.bind(1, copying: archive.hash.bytes)
        write.bind(2, copying: archive.channel)
        write.bind(3, Int64(clamping: archive.first))
        write.bind(4, Int64(clamping: archive.last))
        write.bind(5, archive.blocks)
        write.bind(6, archive.size)
        write.bind(7, archive.isRestored ? 1 : 0)
        guard try write.step() else { throw damaged }
        return write.int(0)
    }

    private func takeOut(_ record: ArchiveFile.Record, at position: UInt64, into archive: Int64) throws {
        try rewrite(at: position) { $0.body = Data() }
        let write = try sql("INSERT OR REPLACE INTO log_body(position, archive, start, size) VALUES(?, ?, ?, ?)")
        write.bind(1, Int64(clamping: position))
        write.bind(2, archive)
        write.bind(3, record.start)
        write.bind(4, record.size)
        try write.run()
    }

    private func putBack(_ file: ArchiveFile, _ record: ArchiveFile.Record, at position: UInt64) throws {
        let (_, block) = try ArchiveFile.block(in: Array(file.bytes[record.start..<record.start + record.size]))
        try rewrite(at: position) { $0.body = Data(block.body) }
        let delete = try sql("DELETE FROM log_body WHERE position = ?")
        delete.bind(1, Int64(clamping: position))
        try delete.run()
    }

    private func rewrite(at position: UInt64, _ change: (inout WireBlock) -> Void) throws {
        let read = try sql("SELECT payload FROM log_entry WHERE position = ?")
        read.bind(1, Int64(clamping: position))
        let payload = try read.step() ? read.array(0) : []
        read.reset()
        var wire = try WireCoding.decode(WireBlock.self, from: payload)
        change(&wire)
        let update = try sql("UPDATE log_entry SET payload = ?2 WHERE position = ?1")
        update.bind(1, Int64(clamping: position))
        update.bind(2, copying: try WireCoding.encode(wire))
        try update.run()
    }

    /// An entry's payload with the body from its archive, where it lies in one.
    ///
    /// - Parameter columns: of the archive's number, and of the record's start and size; the first is NULL in most.
    func whole(_ payload: [UInt8], _ read: Statement, from columns: Int32) throws -> [UInt8] {
        if read.isNull(columns) { return payload }
        let (number, start, size) = (read.int(columns), Int(read.int(columns + 1)), Int(read.int(columns + 2)))
        let find = try sql("SELECT hash FROM log_archive WHERE number = ?")
        find.bind(1, number)
        let hash = try find.step() ? Hash256(bytes: find.bytes(0)) : nil
        find.reset()
        guard let hash else { throw damaged }
        guard let shelf else {
            throw StoreError(
                .corrupt, "the log has blocks in archive files, and it was not said where those are",
                advice: "give the folder of the centre's home")
        }
        var wire = try WireCoding.decode(WireBlock.self, from: payload)
        let record = try shelf.record(of: hash, start: start, size: size)
        guard let (_, block) = try? ArchiveFile.block(in: record), block.headerBytes.elementsEqual(wire.header) else {
            throw shelf.missing(hash)
        }
        wire.body = Data(block.body)
        return try WireCoding.encode(wire)
    }
}
