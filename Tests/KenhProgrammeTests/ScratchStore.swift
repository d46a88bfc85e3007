import Foundation
import KenhProgramme
import KenhStore

/// A store in a directory of its own, which goes with the last reference.
final class ScratchStore {
    let store: Store
    private let directory: URL

    init() throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "kenh-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        store = try Store(path: directory.appending(path: "kenh.db").path, schema: Programme.schema)
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    static func withOrganisation(seed: UInt64 = 1) throws -> ScratchStore {
        let scratch = try ScratchStore()
        try DemoOrganisation(seed: seed).install(into: scratch.store)
        return scratch
    }

    func run(_ step: DemoStep) throws {
        try store.write(officer: step.officer, atMilliseconds: DemoOrganisation.milliseconds(of: step.date)) {
            transaction in
            switch step.action {
            case .write(let body): try body(transaction)
            case .sql(let text):
                for statement in text.components(separatedBy: ";\n") where !statement.isEmpty {
                    if statement == "BEGIN IMMEDIATE" || statement == "COMMIT" { continue }
                    try transaction.execute(statement)
                }
            }
        }
    }

    func count(_ sql: String, _ arguments: [Value] = []) throws -> Int64 {
        guard case .integer(let count) = try store.rows(sql, arguments).first?["n"] else { return -1 }
        return count
    }

    func state(of item: String) throws -> CurrentState<ItemState> {
        let move = Move(item, channel: "", to: ItemState.planned, date: "", actor: "")
        return try store.write { try move.shown(in: $0) }
    }
}
