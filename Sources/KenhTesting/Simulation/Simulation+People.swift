import KenhMerge
import KenhStore

extension Simulation {
    private struct ChangeOfMind: Error {}

    /// Somebody's transaction.
    func work(_ node: SimulatedNode, salt: UInt64) throws -> String {
        var random = SeededGenerator(seed: salt)
        let isPlain = random.chance(percent: 35)
        let isTakenBack = random.chance(percent: 8)
        let count = 1 + random.below(5)
        return try transact(node, salt: salt, random: random, isPlain: isPlain) { user in
            try user.perform(count)
            if isTakenBack { throw ChangeOfMind() }
        }
    }

    func importRows(_ rows: Int, _ node: SimulatedNode, salt: UInt64) throws -> String {
        if rows > 200 { count(.bulkImport) }
        let random = SeededGenerator(seed: salt)
        return try transact(node, salt: salt, random: random, isPlain: salt.isMultiple(of: 2)) { user in
            try user.importRows(rows)
        }
    }

    private func transact(
        _ node: SimulatedNode, salt: UInt64, random: SeededGenerator, isPlain: Bool,
        _ body: (inout UserTransaction) throws -> Void
    ) throws -> String {
        let store = try node.store()
        let losers = try losers(node)
        let before = try lastPending(node)
        var draft = LedgerDraft()
        var after = before
        func write(_ port: any SQLPort) throws {
            var user = UserTransaction(
                port: port, tables: node.schema.tables, losers: losers, random: random,
                values: ValueSource(salt: salt))
            defer { draft = user.draft }
            try body(&user)
            after = Self.integer(try port.rows(Self.lastPendingQuery, []).first?.first)
        }
        do {
            if isPlain {
                try node.plainFile().write { try write($0) }
            } else {
                try store.write(officer: Self.officer(salt)) { try write(OwnWrites(transaction: $0)) }
            }
        } catch {
            return try settle(error, draft, node, before: before, after: after)
        }
        return enter(draft, node)
    }

    // MARK: what became of a transaction

    private static let lastPendingQuery = "SELECT coalesce(max(seq), 0) FROM kenh_pending"

    private static func integer(_ value: Value?) -> Int64 {
        if case .integer(let x)? = value { x } else { 0 }
    }

    private func lastPending(_ node: SimulatedNode) throws -> Int64 {
        let row = try node.store().rows(Self.lastPendingQuery).first
        return Self.integer(row.flatMap { row in row.columns.first.map { row[$0] } })
    }

    /// A transaction that failed was taken back as a whole, or it was done as a whole and nobody was told.
    private func settle(
        _ error: any Error, _ draft: LedgerDraft, _ node: SimulatedNode, before: Int64, after: Int64
    ) throws -> String {
        node.losers = nil
        lookAtDisks()
        if error is ChangeOfMind { count(.rollback) }
        guard isStruck || error is ChangeOfMind else {
            ledger.rollBack(draft)
            throw error
        }
        // Closed, so that what there is comes from the disk: a failed commit may stand whole in a write-ahead log, and
        // is there as soon as the last process that knows better has ended.
        if isStruck { end(node) }
        let found = try lastPending(node)
        guard [before, after, node.surePending, node.failedPending].contains(found) else {
            throw SimulationFailure("of changes \(before + 1) to \(after), those up to \(found) were kept")
        }
        let mayComeBack = isStruck && node.limits.durability == .writeAheadLog
        guard found != after, !mayComeBack else {
            // There, and not acknowledged: a power cut may still take it back. In a write-ahead log it may be there
            // again after one, too.
            let first = ledger.count
            let surePending = node.surePending ?? before
            let result = enter(draft, node)
            ledger.doubt(node.number, after: first)
            node.surePending = surePending
            node.failedPending = mayComeBack ? after : nil
            return result + ", unknown"
        }
        ledger.rollBack(draft)
        return error is ChangeOfMind ? "taken back" : "failed"
    }

    private func enter(_ draft: LedgerDraft, _ node: SimulatedNode) -> String {
        (node.surePending, node.failedPending) = (nil, nil)
        for place in draft.seen.keys { node.losers?[place] = nil }
        ledger.commit(draft, by: node.number)
        return "\(draft.writes.count) values, \(draft.deleted.count) deletes"
    }

    /// What people see beside the tables.
    private func losers(_ node: SimulatedNode) throws -> [LedgerPlace: Set<Value>] {
        if let known = node.losers { return known }
        let losers = Self.losers(try node.store().conflicts())
        node.losers = losers
        return losers
    }

    private static func officer(_ salt: UInt64) -> String? {
        [nil, nil, "lan", "minh", "th\u{1EA3}o", "tha\u{309}o"][Int(salt % 6)]
    }

    static func losers(_ conflicts: [Conflict]) -> [LedgerPlace: Set<Value>] {
        var result: [LedgerPlace: Set<Value>] = [:]
        for conflict in conflicts {
            guard case .values(let column, _, let losers) = conflict.kind else { continue }
            let place = LedgerPlace(table: conflict.table, id: conflict.id, column: column)
            result[place, default: []].formUnion(losers.map(\.value))
        }
        return result
    }

    // MARK: conflicts

    /// Somebody settles up to three of the conflicts that they see.
    func decide(_ node: SimulatedNode, salt: UInt64) throws -> String {
        let store = try node.store()
        var random = SeededGenerator(seed: salt)
        var values = ValueSource(salt: salt)
        var done: [String] = []
        for _ in 0..<3 {
            let conflicts = try store.conflicts()
            guard let conflict = random.pick(conflicts) else { break }
            let losers = Self.losers(conflicts)
            switch conflict.kind {
            case .values(let column, let shown, let others):
                let place = LedgerPlace(table: conflict.table, id: conflict.id, column: column)
                var choices = [shown.value] + others.map(\.value)
                choices += [fresh(place, node, &values)].compactMap { $0 }
                guard let value = random.pick(choices) else { continue }
                do { try settle(place, shown.value, value, losers, store, node, salt: salt) } catch let error
                    as StoreError
                    where error.code == .refusedValue
                {
                    // A counter cannot be set so far from where it stands.
                    continue
                }
            case .keptDespiteDelete: try keep(conflict, losers, store, node, salt: salt)
            }
            done.append("\(conflict.table) \(conflict.id)")
        }
        return done.joined(separator: ", ")
    }

    private func fresh(_ place: LedgerPlace, _ node: SimulatedNode, _ values: inout ValueSource) -> Value? {
        let columns = node.schema.table(place.table)?.columns ?? []
        return columns.first { $0.name == place.column }.map { values.unique($0.type) }
    }

    private func settle(
        _ place: LedgerPlace, _ shown: Value, _ value: Value, _ losers: [LedgerPlace: Set<Value>], _ store: Store,
        _ node: SimulatedNode, salt: UInt64
    ) throws {
        var draft = LedgerDraft()
        draft.write(place, value, isUnique: false, seen: (losers[place] ?? []).union([shown]))
        try decided(draft, node) {
            try store.resolve(
                table: place.table, id: place.id, column: place.column, to: value, officer: Self.officer(salt))
        }
    }

    private func keep(
        _ conflict: Conflict, _ losers: [LedgerPlace: Set<Value>], _ store: Store, _ node: SimulatedNode, salt: UInt64
    ) throws {
        let columns = node.schema.table(conflict.table)?.columns ?? []
        let line = try store.rows("SELECT * FROM \"\(conflict.table)\" WHERE id = ?", [conflict.id]).first
        var draft = LedgerDraft()
        for column in columns {
            let place = LedgerPlace(table: conflict.table, id: conflict.id, column: column.name)
            let shown = line?[column.name] ?? .null
            draft.write(place, shown, isUnique: false, seen: (losers[place] ?? []).union([shown]))
        }
        try decided(draft, node) {
            try store.keep(table: conflict.table, id: conflict.id, officer: Self.officer(salt))
        }
    }

    private func decided(_ draft: LedgerDraft, _ node: SimulatedNode, _ body: () throws -> Void) throws {
        let before = try lastPending(node)
        do { try body() } catch {
            // One change, done or not.
            _ = try settle(error, draft, node, before: before, after: before + 1)
            throw error
        }
        _ = enter(draft, node)
    }
}
