import KenhMerge

/// One column of one row.
public struct LedgerPlace: Hashable, Sendable {
    public let table: String
    public let id: Value
    public let column: String
}

/// What one transaction wrote, and what its writer could see of what that replaced.
struct LedgerDraft {
    struct Write {
        let place: LedgerPlace
        let value: Value
        /// No other write has this value, so that it can be told where it went.
        let isUnique: Bool
        /// The value was added to a counter.
        var isAddition = false
    }

    struct DeletedRow {
        let table: String
        let id: Value
        /// The columns of the writer's schema, whose values are in `seen`.
        let knownColumns: Set<String>
    }

    var writes: [Write] = []
    var seen: [LedgerPlace: Set<Value>] = [:]
    var deleted: [DeletedRow] = []
    /// Rows that were given another channel than the agreed one.
    var misplaced: [LedgerPlace] = []

    mutating func add(_ place: LedgerPlace, _ amount: Int64) {
        guard amount != 0 else { return }
        writes.append(Write(place: place, value: .integer(amount), isUnique: false, isAddition: true))
    }

    mutating func write(_ place: LedgerPlace, _ value: Value, isUnique: Bool, seen values: Set<Value>) {
        writes.append(Write(place: place, value: value, isUnique: isUnique && value != .null))
        seen[place, default: []].formUnion(values)
    }
}

/// Every committed local change of a simulation, kept outside the system under test.
struct Ledger {
    struct Entry {
        let place: LedgerPlace
        let value: Value
        let node: Int
        let isUnique: Bool
        let isAddition: Bool
        /// False where the only disk that surely had it was replaced by an older one.
        var isCertain = true
        /// How often an old disk came back on which it may not have been sealed: it is sealed anew then, as another
        /// change where its block has become another one.
        var repetitions = 0
    }

    private(set) var entries: [Entry] = []
    /// Places in `entries` by row, to find a row's without going through all.
    private var placesByRow: [LedgerPlace: [Int]] = [:]
    /// Values that somebody had before their eyes when they wrote the column or deleted the row.
    private(set) var seen: [LedgerPlace: Set<Value>] = [:]
    /// Values of transactions that were not committed.
    private(set) var ghosts: [LedgerPlace: Set<Value>] = [:]
    private(set) var misplaced: Set<LedgerPlace> = []

    var count: Int { entries.count }

    mutating func commit(_ draft: LedgerDraft, by node: Int) {
        for (place, values) in draft.seen { seen[place, default: []].formUnion(values) }
        misplaced.formUnion(draft.misplaced)
        for row in draft.deleted { seeUnknown(row) }
        for write in draft.writes {
            placesByRow[Self.row(write.place.table, write.place.id), default: []].append(entries.count)
            entries.append(
                Entry(
                    place: write.place, value: write.value, node: node, isUnique: write.isUnique,
                    isAddition: write.isAddition))
        }
    }

    /// A delete reaches the columns, too, that its writer's schema does not have.
    private mutating func seeUnknown(_ row: LedgerDraft.DeletedRow) {
        for place in placesByRow[Self.row(row.table, row.id)] ?? [] {
            let entry = entries[place]
            guard !row.knownColumns.contains(entry.place.column) else { continue }
            seen[entry.place, default: []].insert(entry.value)
        }
    }

    mutating func rollBack(_ draft: LedgerDraft) {
        misplaced.formUnion(draft.misplaced)
        for write in draft.writes where write.isUnique { ghosts[write.place, default: []].insert(write.value) }
    }

    /// A disk was replaced by an older one: what the node wrote since may be nowhere.
    mutating func doubt(_ node: Int, after number: Int) {
        for i in entries.indices where i >= number && entries[i].node == node { entries[i].isCertain = false }
    }

    mutating func mayRepeat(_ node: Int, from first: Int, to end: Int) {
        for i in entries.indices where first <= i && i < end && entries[i].node == node { entries[i].repetitions += 1 }
    }

    func isMisplaced(_ place: LedgerPlace) -> Bool { misplaced.contains(Self.row(place.table, place.id)) }

    static func row(_ table: String, _ id: Value) -> LedgerPlace { LedgerPlace(table: table, id: id, column: "") }
}
