import ArgumentParser
import Foundation
import KenhCell
import KenhHub
import KenhProgramme
import KenhProtocol
import KenhSettings
import KenhStore

struct Repair: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a damaged store, or the centre's log, anew.",
        discussion: """
            EXAMPLES
              kenh repair --home ~/kenh
              kenh repair --home ~/kenh --without-centre

            Stop the daemon, or the centre, first. Every block that proves itself by hash and signature is kept, rows are
            made anew from them, blocks that are damaged come back from the centre, and what was written and not sent is
            written again. Files that are whole are left alone; a damaged one is kept beside the new one.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var output: OutputOptions
    @Flag(help: "Do not ask the centre for what is damaged; the next sync will bring it.")
    var withoutCentre = false

    private struct Result: Encodable {
        var blocks: Int?
        var damagedBlocks: Int?
        var pendingChanges: Int?
        var damagedPendingChanges: Int?
        var entries: Int?
        var damagedEntries: Int?
        var kept: [String] = []

        mutating func keep(_ path: String?) { kept += [path].compactMap { $0 } }
    }

    func run() throws {
        let home = try home.resolve()
        var result = Result()
        var lock: HomeLock?
        if try !isWhole(home) {
            lock = try Self.lock(home)
            try repairStore(home, &result)
        }
        let store = try home.openStore()
        if try home.role(store) == .centre, try !isLogWhole(home, store) {
            lock = try lock ?? Self.lock(home)
            try repairLog(home, store, &result)
        }
        try withExtendedLifetime(lock) { try output.print(result) { Self.text(result) } }
    }

    /// A centre that is being served would go on with the files that were exchanged, and lose what it takes from then on.
    private static func lock(_ home: Home) throws -> HomeLock? {
        FileManager.default.fileExists(atPath: home.logPath) ? try HomeLock(home) : nil
    }

    private static func text(_ result: Result) -> String {
        var lines: [String] = []
        if let blocks = result.blocks {
            lines.append(
                "Made the store anew from \(blocks) blocks; \(result.damagedBlocks ?? 0) were damaged. "
                    + "\(result.pendingChanges ?? 0) changes that were not sent are there again, "
                    + "\(result.damagedPendingChanges ?? 0) could not be read.")
        }
        if let entries = result.entries {
            lines.append(
                "Made the log anew from \(entries) entries; \(result.damagedEntries ?? 0) were damaged. "
                    + "The cells hand back what it lacks when they sync.")
        }
        lines += result.kept.map { "The damaged file is kept as \($0)." }
        return lines.isEmpty ? "Everything is whole; nothing was changed." : lines.joined(separator: "\n")
    }

    private func progress(_ text: String) {
        if StandardError.isTerminal, !output.json { Progress.show(text) }
    }

    // MARK: the store

    private func isWhole(_ home: Home) throws -> Bool {
        do {
            let store = try home.openStore()
            _ = try home.identity(store)
            return try store.verify(deep: true) { done, all in
                if done % 16 == 0 { progress("checked \(done) of \(all) blocks") }
            }.isGood
        } catch let error as StoreError where [.corrupt, .notADatabase, .malformedBlock, .io].contains(error.code) {
            return false
        }
    }

    private func repairStore(_ home: Home, _ result: inout Result) throws {
        let key = try SecretFile.read(home.deviceKeyPath)
        let path = home.storePath + ".repaired"
        ReplacedFile.remove(path)
        progress("making the store anew")
        var repair = try StoreRepair(damaged: home.storePath, newPath: path, schema: Programme.schema, key: key)
        if repair.report.damagedBlocks > 0, try home.role(repair.store) == .cell, !withoutCentre {
            progress("asking the centre for what is damaged")
            do {
                let cell = try CellHome(home, store: repair.store, settings: try Settings(home: home))
                _ = try cell.sync().run()
            } catch {
                throw Failure(
                    .tryAgain,
                    "\(repair.report.damagedBlocks) blocks are damaged and the centre, which may have them, does not "
                        + "answer (\(Failure(error).message)); nothing was changed: try again when it does, or use "
                        + "--without-centre")
            }
        }
        try repair.redoPending()
        Progress.clear()
        result.blocks = repair.report.blocks
        result.damagedBlocks = repair.report.damagedBlocks
        result.pendingChanges = repair.report.pendingChanges
        result.damagedPendingChanges = repair.report.damagedPendingChanges
        result.keep(try ReplacedFile.exchange(home.storePath, for: path, keptAs: "damaged"))
    }

    // MARK: the log

    private func isLogWhole(_ home: Home, _ store: Store) throws -> Bool {
        do { return try Verify.verifyLog(home, store).isGood } catch let error as StoreError
            where [.corrupt, .notADatabase, .io].contains(error.code)
        { return false }
    }

    private func repairLog(_ home: Home, _ store: Store, _ result: inout Result) throws {
        let path = home.logPath + ".repaired"
        ReplacedFile.remove(path)
        progress("making the log anew")
        let repair = try LogRepair(
            damaged: home.logPath, newPath: path, identity: try home.hubIdentity(store),
            device: try home.identity(store).key.publicKey, epoch: Home.newEpoch(), archives: home.archives)
        Progress.clear()
        result.entries = repair.report.entries + repair.report.movedEntries
        result.damagedEntries = repair.report.damagedEntries
        result.keep(try ReplacedFile.exchange(home.logPath, for: path, keptAs: "damaged"))
        // The centre's own tables have what cells may not.
        try home.openCentre().view.catchUp()
    }
}
