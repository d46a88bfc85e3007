import CSQLite
import Foundation
import GRDB
import KenhMerge
@_exported import enum KenhMerge.Value
import KenhProtocol

/// A cell's or the centre's database: ordinary tables that any SQLite tool may write, and beside them what it takes to
/// merge them with everybody else's.
///
/// One connection, used from any thread, one transaction at a time. Nothing is reported as done before it would
/// survive a power cut.
public final class Store: Sendable {
    private let queue: DatabaseQueue
    nonisolated(unsafe) private let core: StoreCore
    public let schema: Schema
    public let path: String
    private let clock: @Sendable () -> Int64
    let makeRandom: @Sendable () -> any RandomNumberGenerator

    /// Opens a store, creating it where there is none, and brings it to the schema.
    ///
    /// - Parameters:
    ///   - clock: the wall clock in milliseconds since 1970.
    ///   - mustExist: refuse to create a new file.
    /// - Throws: ``StoreError``: `notADatabase`, `notAStore`, `newerVersion`, `notDurable`, `busy`, `diskFull`, …
    public convenience init(
        path: String, schema: Schema, mustExist: Bool = false,
        clock: @escaping @Sendable () -> Int64 = Store.wallClock,
        random: @escaping @Sendable () -> any RandomNumberGenerator = { SystemRandomNumberGenerator() }
    ) throws(StoreError) {
        try self.init(
            path: path, schema: schema, mustExist: mustExist, limits: WorkLimits(), clock: clock, random: random)
    }

    package init(
        path: String, schema: Schema, mustExist: Bool = false, limits: WorkLimits,
        clock: @escaping @Sendable () -> Int64, random: @escaping @Sendable () -> any RandomNumberGenerator
    ) throws(StoreError) {
        self.schema = schema
        self.path = path
        self.clock = clock
        makeRandom = random
        (queue, core) = try Self.open(path, schema: schema, mustExist: mustExist, limits)
    }

    deinit {
        queue.inDatabase { _ in core.sql.clear() }
    }

    public static let wallClock: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    public var now: Int64 { clock() }

    // MARK: opening

    private static func open(
        _ path: String, schema: Schema, mustExist: Bool, _ limits: WorkLimits
    ) throws(StoreError) -> (DatabaseQueue, StoreCore) {
        try StoreFile.check(path, mustExist: mustExist)
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        configuration.busyMode = .timeout(10)
        configuration.label = "kenh.store"
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            let core = try queue.inDatabase { db in try prepare(db, path, schema: schema, limits) }
            return (queue, core)
        } catch { throw StoreError(wrapping: error) }
    }

    private static func prepare(
        _ db: Database, _ path: String, schema: Schema, _ limits: WorkLimits
    ) throws -> StoreCore {
        guard let handle = db.sqliteConnection else { throw StoreError(.io, "the store has no connection") }
        // GRDB asks for every column of every statement, for an observation that does not see what is written past it; a
        // third of the time in which a statement is prepared.
        sqlite3_set_authorizer(handle, nil, nil)
        let core = StoreCore(database: handle, path: path, schema: schema)
        core.limits = limits
        try StoreFile.checkVersion(core.sql)
        try limits.durability.apply(core.sql)
        // Not temp_store=MEMORY: SQLite then keeps a statement's own journal in pieces of 1 KiB, and every captured write
        // has one. Without it the first 64 KiB of that journal are in memory in one piece.
        try core.sql.execute("PRAGMA cache_size=-65536; PRAGMA secure_delete=OFF")
        try db.inTransaction(.immediate) {
            try StoreFile.create(core.sql)
            if try SchemaInstaller(schema: schema, sql: core.sql, meta: core.meta).install() {
                try core.refresh()
                try Rebuilder(core: core).showWhatWasKept()
            }
            return .commit
        }
        core.forget()
        return core
    }

    // MARK: transactions

    /// Runs `body` in one immediate transaction with what is kept in memory up to date.
    ///
    /// - Parameter isCaptured: whether `body` writes the application's changes. What Kenh itself writes into its tables it
    ///   writes with the triggers off.
    func transaction<T>(
        isCaptured: Bool = false, _ body: (Database, StoreCore) throws -> T
    ) throws(StoreError) -> T {
        do {
            return try queue.inDatabase { db in
                try core.settle()
                if isCaptured { core.capture(true) }
                var result: T?
                do {
                    try db.inTransaction(.immediate) {
                        try core.refresh()
                        result = try body(db, core)
                        try core.channels.flush()
                        return .commit
                    }
                } catch {
                    core.forget()
                    if StoreError.isOfDisk(error) {
                        core.isDoubtful = true
                        core.limits.durability.renewJournal(core.sql)
                    }
                    throw error
                }
                guard let result else { throw StoreError(.io, "the transaction gave no result") }
                return result
            }
        } catch { throw StoreError(wrapping: error) }
    }

    /// For what SQLite does in no transaction.
    func outsideTransactions<T>(_ body: (StoreCore) throws -> T) throws(StoreError) -> T {
        do {
            return try queue.inDatabase { _ in
                try core.settle()
                do { return try body(core) } catch {
                    core.forget()
                    if StoreError.isOfDisk(error) {
                        core.isDoubtful = true
                        core.limits.durability.renewJournal(core.sql)
                    }
                    throw error
                }
            }
        } catch { throw StoreError(wrapping: error) }
    }

    func reading<T>(_ body: (StoreCore) throws -> T) throws(StoreError) -> T {
        do {
            return try queue.inDatabase { db in
                try core.settle()
                var result: T?
                try db.inTransaction(.deferred) {
                    try core.refresh()
                    result = try body(core)
                    return .commit
                }
                guard let result else { throw StoreError(.io, "the transaction gave no result") }
                return result
            }
        } catch { throw StoreError(wrapping: error) }
    }

    // MARK: reading and writing

    /// One transaction of the application's own writes.
    ///
    /// - Parameters:
    ///   - officer: alias of the officer who writes; stamped on every change.
    ///   - atMilliseconds: when, if not now.
    /// - Throws: what `body` throws, as it is; ``StoreError`` where the store itself fails. Nothing is kept then.
    public func write<T>(
        officer: String? = nil, atMilliseconds: Int64? = nil, _ body: (StoreTransaction) throws -> T
    ) throws -> T {
        try Self.check(officer: officer)
        var failure: (any Error)?
        do {
            return try transaction(isCaptured: true) { db, core in
                let before = try core.lastPending()
                let result: T
                do { result = try body(StoreTransaction(db: db)) } catch {
                    failure = error
                    throw error
                }
                try core.stampPending(after: before, officer: officer, at: atMilliseconds ?? now)
                return result
            }
        } catch { throw failure ?? error }
    }

    private static func check(officer: String?) throws(StoreError) {
        guard let officer else { return }
        guard officer.utf8.count <= Limits.officerBytes, !officer.utf8.contains(0) else {
            throw StoreError(
                .refusedValue, "an officer's alias has over \(Limits.officerBytes) bytes or a NUL character",
                advice: "use a shorter one")
        }
    }

    /// Rows of a query, read outside any transaction of one's own.
    public func rows(_ sql: String, _ arguments: [Value] = []) throws(StoreError) -> [StoredRow] {
        do {
            return try queue.inDatabase { db in
                try core.settle()
                if !Self.onlyReads(sql) { core.capture(true) }
                return try StoreTransaction(db: db).rows(sql, arguments)
            }
        } catch { throw StoreError(wrapping: error) }
    }

    private static func onlyReads(_ sql: String) -> Bool {
        let word = sql.drop { $0.isWhitespace }.prefix { $0.isLetter }.uppercased()
        return ["SELECT", "VALUES", "PRAGMA", "EXPLAIN"].contains(word)
    }

    // MARK: sealing and merging

    /// Seals what is pending.
    public func seal(as identity: StoreIdentity) throws(StoreError) -> SealReport {
        try transaction { _, core in try sealer(core, identity).seal() }
    }

    /// Seals what is pending, then takes a delivery in, as one transaction.
    ///
    /// Where the delivery brings back blocks that this store itself once wrote, the store is an older copy of itself:
    /// it keeps both lines of work, and writes under a new replica id from then on.
    public func take(_ delivery: Delivery, as identity: StoreIdentity) throws(StoreError) -> DeliveryReport {
        try transaction { db, core in try takeIn(delivery, identity, db, core) }
    }

    /// As ``take(_:as:)``, within a transaction.
    func takeIn(
        _ delivery: Delivery, _ identity: StoreIdentity, _ db: Database, _ core: StoreCore
    ) throws -> DeliveryReport {
        let sealed = try sealer(core, identity).seal()
        let registry = RegistryTable(sql: core.sql)
        try registry.record(delivery.registry)
        try registry.keep(delivery.statements)
        let erased = try Eraser(core: core).adopt(delivery.erasures)
        let finaliser = Finaliser(core: core)
        let final = try finaliser.note(delivery.finalities)
        let merger = Merger(
            core: core, now: now, ownReplica: try core.replica(of: identity), ownKey: identity.key.publicKey)
        try merger.write(delivery.items)
        let adopted = try adoptSnapshots(delivery, core)
        let dropped = try finaliser.run(final, adopted: adopted.bases)
        try merger.merge()
        if merger.report.lostBlocks > 0 { try beginNewReplica(core, lostBlocks: merger.report.lostBlocks) }
        for cursor in delivery.cursors { try advance(cursor, core) }
        let checkpoints = CheckpointTable(sql: core.sql)
        for checkpoint in delivery.checkpoints { try checkpoints.keep(checkpoint) }
        if let forgotten = delivery.forgotten {
            core.channels.uncover()
            try tell(forgotten: forgotten, core)
        }
        core.channels.cover(delivery.covered)
        var report = merger.report
        report.rejectedChanges = try reject(dropped.rejections + merger.ruled, identity, core)
        report.erasures = erased.erasures
        report.finalities = dropped.finalities
        let touched = merger.touchedTables.union(adopted.tables).union(erased.touchedTables)
        try announce(touched.union(dropped.touchedTables), core, db)
        report.leftChannels = try leaveChannels(identity, core, db)
        report.sealed = sealed
        report.owesAcceptances = try core.blocks.owesAny()
        return report
    }

    /// Another process may have taken the same entries in meanwhile: a cursor never goes back, and no answer to a
    /// question of an earlier epoch moves it.
    private func advance(_ cursor: ChannelCursor, _ core: StoreCore) throws {
        if let known = core.channels.find(cursor.channel)?.cursor, known.sequence > 0,
            known.epoch != cursor.epoch || known.sequence >= cursor.sequence
        {
            return
        }
        try core.channels.set(cursor)
    }

    private func tell(forgotten: KeptCheckpoint, _ core: StoreCore) throws {
        let lost = forgotten.checkpoint
        try core.noticeOnce(
            "forgotten", at: now,
            "the centre's log was made anew from an older copy: it no longer begins with the \(lost.size) entries that it "
                + "had shown before; its signed word for them is kept (kenh audit checkpoints)")
    }

    /// Keeps what was struck of the device's own blocks for whoever wrote it.
    private func reject(
        _ rejections: [Rejection], _ identity: StoreIdentity, _ core: StoreCore
    ) throws -> Int {
        var count = 0
        for rejection in rejections {
            let (block, ruling) = (rejection.block, rejection.ruling)
            // A receipt may come before the registry says whose the replica is.
            guard (try? block.verify(deviceKey: identity.key.publicKey)) != nil else { continue }
            let channel = try core.channels.number(block.header.channel)
            let body = try core.births.open(block, channel: channel)
            let added = try RejectedTable(sql: core.sql).add(rejection, body, at: now)
            guard added > 0 else { continue }
            count += added
            try core.notice(
                "rejected", at: now,
                "\(added) changes were taken out again: \(ruling.message); they are kept in kenh rejected")
        }
        return count
    }

    private func leaveChannels(
        _ identity: StoreIdentity, _ core: StoreCore, _ db: Database
    ) throws -> [String] {
        let registry = RegistryTable(sql: core.sql)
        guard let cell = try registry.cell(of: identity.key.publicKey), !cell.isEmpty else { return [] }
        let leave = ChannelLeave(core: core)
        let due = try leave.due(try registry.rights(of: cell), cell: cell)
        guard !due.isEmpty else { return [] }
        for channel in due {
            try leave.leave(channel)
            try core.notice(
                "left", at: now,
                "the cell \(cell) takes no part in the channel \(channel.name) any more: its rows were removed from this "
                    + "device")
        }
        // Should the cell come back, the log goes on from lanes that are not here any more.
        try takeNewReplica(core)
        try core.channels.flush()
        core.forget()
        try announce(Set(core.catalogue.tables.keys), core, db)
        return due.map(\.name)
    }

    func takeNewReplica(_ core: StoreCore) throws {
        var random = makeRandom()
        try core.meta.set(StoreCore.replicaKey, .blob(ReplicaID.random(using: &random).bytes))
        core.channels.forgetOwnBranches()
    }

    private func beginNewReplica(_ core: StoreCore, lostBlocks: Int) throws {
        try takeNewReplica(core)
        try core.notice(
            "restored", at: now,
            "this store is an older copy of itself, or there is another copy: \(lostBlocks) blocks that it had sent came "
                + "back from the centre; both lines of work are kept")
    }

    func sealer(_ core: StoreCore, _ identity: StoreIdentity) throws(StoreError) -> Sealer {
        try core.check(identity.key.publicKey)
        let identity = StoreIdentity(
            organisation: identity.organisation, replica: try core.replica(of: identity), key: identity.key)
        return try Sealer(core: core, identity: identity, now: now, random: makeRandom())
    }

    /// GRDB's observation does not see writes through the raw handle.
    func announce(_ tables: Set<Int>, _ core: StoreCore, _ db: Database) throws {
        for number in tables {
            guard let table = core.catalogue.tables[number], table.declared != nil else { continue }
            try db.notifyChanges(in: GRDB.Table(table.name))
        }
    }
}

extension StoreError {
    /// Whether SQLite could not read or write the file.
    static func isOfDisk(_ error: any Error) -> Bool {
        guard error is StoreError || error is DatabaseError else { return false }
        return [.io, .diskFull].contains(StoreError(wrapping: error).code)
    }

    init(wrapping error: any Error) {
        switch error {
        case let error as StoreError: self = error
        case let error as DatabaseError:
            self.init(sqliteCode: error.resultCode.rawValue, detail: error.message ?? "an error without words")
        case let error as ProtocolError:
            self.init(.malformedBlock, error.message)
        default: self.init(.io, "\(error)")
        }
    }
}
