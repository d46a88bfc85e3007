import Foundation
import KenhProtocol

/// SQLite's session extension doing the same work as a store, beside it in the same run. It keeps no log, merges no
/// three-way conflicts, signs nothing and forgets what it recorded when the process ends: the price of the mere changes.
final class SessionPeer {
    struct Part {
        let step: Step
        let run: () throws -> Void
        /// Outside of the timed part.
        var check: () throws -> Void = {}
        var figures: () -> [Sample] = { [] }
    }

    private let base: ItemRows
    private let updates: ItemRows
    private let edits: ItemRows
    private let folder: String
    private let zstandard = Zstandard()
    private var ddl = ""
    private var writer: RecordedTable?
    private var reader: ItemTable?
    private var other: ItemTable?
    private var inserts: (plain: Int, packed: [UInt8]) = (0, [])
    private var patches: (plain: Int, packed: [UInt8]) = (0, [])
    /// Of the updates, with old values: only with them conflicts are noticed.
    private var changes: [UInt8] = []

    init(base: ItemRows, updates: ItemRows, edits: ItemRows, folder: String) {
        (self.base, self.updates, self.edits, self.folder) = (base, updates, edits, folder)
    }

    func open(_ ddl: String) throws {
        self.ddl = ddl
        writer = try RecordedTable(try table("writer"))
        reader = try table("reader")
    }

    private func path(_ name: String) -> String { "\(folder)/session-\(name).db" }

    private func table(_ name: String) throws -> ItemTable {
        let table = ItemTable(database: try RawDatabase(path(name)))
        try table.database.execute(ddl)
        return table
    }

    var insert: Part {
        Part(step: .sessionInsert) { [self] in try writer?.table.insert(base) }
    }

    var update: Part {
        Part(step: .sessionUpdate) { [self] in try writer?.table.update(updates) }
    }

    var sealInserts: Part {
        Part(step: .sessionSealInserts) { [self] in
            inserts = try pack(try writer?.patchset() ?? [])
        } check: { [self] in
            try writer?.record()
        } figures: { [self] in
            [Sample(.sessionBaseWire, value: Double(inserts.packed.count) / Double(base.count))]
        }
    }

    var sealUpdates: Part {
        Part(step: .sessionSealUpdates) { [self] in
            patches = try pack(try writer?.patchset() ?? [])
        } check: { [self] in
            changes = try writer?.changeset() ?? []
        } figures: { [self] in
            [Sample(.sessionUpdateWire, value: Double(patches.packed.count) / Double(base.count))]
        }
    }

    private func pack(_ bytes: [UInt8]) throws -> (Int, [UInt8]) { (bytes.count, try zstandard.compress(bytes)) }

    var mergeBase: Part {
        Part(step: .sessionMergeBase) { [self] in try apply(inserts, to: reader) }
    }

    var mergeAgain: Part {
        Part(step: .sessionMergeAgain) { [self] in try apply(inserts, to: reader) }
    }

    var mergeUpdates: Part {
        Part(step: .sessionMergeUpdates) { [self] in
            try apply(patches, to: reader)
        } check: { [self] in
            try Verification.sameRows(path("reader"), path("writer"))
            other = try table("other")
            try apply(inserts, to: other)
            try other?.update(edits, every: 2)
        }
    }

    var mergeConflicts: Part {
        Part(step: .sessionMergeConflicts) { [self] in
            guard let other else { return }
            try RecordedTable.apply(changes, to: other)
        }
    }

    private func apply(_ packed: (plain: Int, packed: [UInt8]), to table: ItemTable?) throws {
        guard let table else { return }
        try RecordedTable.apply(try zstandard.decompress(packed.packed, plainSize: packed.plain), to: table)
    }
}
