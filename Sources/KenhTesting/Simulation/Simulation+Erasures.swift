import KenhHub
import KenhMerge
import KenhStore

extension Simulation {
    private static let tables = SimulatedSchema.second.tables.filter { $0.columns.contains(where: \.isErasable) }

    /// Of rows that many write, so that it meets values in every part that they can play.
    func erase(_ row: Int, salt: UInt64) throws -> String {
        try centre.catchUp()
        acknowledge(0, ledger.count)
        centre.node.losers = nil
        let table = Self.tables[row % Self.tables.count]
        let id = SimulatedSchema.id(row % SimulatedSchema.idCount, of: table)
        let found = try erasable(table.name, id)
        guard !found.isEmpty else { return "nothing to erase" }
        // Whether it is done is found out later, where something strikes.
        for value in found {
            let place = LedgerPlace(table: table.name, id: id, column: value.name.column)
            erased[place, default: []].insert(value.value)
        }
        let report = try centre.hub().erase(found, reason: "asked \(salt % 100)")
        count(.erased, report.values)
        try centre.catchUp()
        return "\(report.values) values of \(table.name) \(id) erased"
    }

    private func erasable(_ table: String, _ id: Value) throws -> [ErasableValue] {
        let name = if case .blob(let bytes) = id { bytes.hex } else { id.string ?? "" }
        do { return try centre.node.store().erasable(table: table, id: name) } catch let error as StoreError
            where error.code == .notFound
        { return [] }
    }

    func isErased(_ entry: Ledger.Entry) -> Bool { erased[entry.place]?.contains(entry.value) == true }

    /// The log may have forgotten an erasure before anybody had heard of it, and somebody may have written a value once more
    /// before that.
    func eraseAgain() throws {
        let places = erased.sorted { "\($0.key)".utf8.lexicographicallyPrecedes("\($1.key)".utf8) }
        for (place, values) in places {
            let found = try erasable(place.table, place.id).filter {
                $0.name.column == place.column && values.contains($0.value)
            }
            guard !found.isEmpty else { continue }
            _ = try centre.hub().erase(found, reason: "asked again")
        }
    }

    /// Everybody has confirmed everything, and nobody's disk holds a value that was written once and erased.
    func checkErased() throws {
        guard !erased.isEmpty else { return }
        for erasure in try centre.hub().erasures() where !erasure.waiting.isEmpty {
            throw SimulationFailure(
                "erasure \(erasure.sequence) of \(erasure.channel) is not confirmed by \(erasure.waiting.map(\.cell))")
        }
        // One statement may have written it into several rows.
        let elsewhere = Set(ledger.entries.filter { !isErased($0) }.map(\.value))
        let values = Set(ledger.entries.filter { $0.isCertain && $0.isUnique && isErased($0) }.map(\.value))
            .subtracting(elsewhere)
        for node in nodes {
            for value in values {
                guard let file = node.disk.file(holding: value.rawBytes) else { continue }
                throw SimulationFailure("\(file) of node \(node.number) holds \(value), which was erased")
            }
        }
    }
}

extension Value {
    /// Of a text or blob.
    fileprivate var rawBytes: [UInt8] {
        switch self {
        case .text(let bytes), .blob(let bytes): bytes
        case .null, .integer, .real: [0]
        }
    }
}
