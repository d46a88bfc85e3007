import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting

extension PowerCutTrial.Scenario {
    /// The centre enters a cell and appends to its log, several entries at once.
    static func centreLog(_ durability: Durability) -> PowerCutTrial.Scenario {
        PowerCutTrial.Scenario(
            "the centre's log",
            prepare: { disk in
                let log = try log(disk, durability)
                for number in 0..<10 { try append(number, log) }
            },
            act: { disk, acknowledge in
                let log = try log(disk, durability)
                for number in 10..<13 {
                    try append(number, log)
                    try acknowledge()
                }
            }, inspect: { disk, _ in try text(try log(disk, durability)) })
    }

    private static func log(_ disk: RAMDisk, _ durability: Durability) throws -> SQLiteLog {
        try SQLiteLog(
            path: disk.path("log.db"), newEpoch: Array(repeating: 7, count: 16),
            openedAtMilliseconds: StoreMachine.start, durability: durability)
    }

    private static func append(_ number: Int, _ log: SQLiteLog) throws {
        try log.write { transaction in
            try transaction.addCell(code: "CB\(number)", name: "Cell \(number)")
            for part in 0..<3 {
                let entry = NewEntry(
                    kind: .block, channel: "org",
                    object: [UInt8(number), UInt8(part)].withUnsafeBytes(Hashing.plainSHA256),
                    acceptedAtMilliseconds: StoreMachine.start, sender: [1],
                    payload: Array(repeating: UInt8(number), count: 100 + 2000 * part), header: nil)
                _ = try transaction.append(entry) { _, hash in hash.bytes }
            }
        }
    }

    /// Every entry, checked against the chain of hashes.
    private static func text(_ log: SQLiteLog) throws -> String {
        try log.read { transaction in
            let entries = try transaction.entries(channel: "org", after: 0, limitBytes: .max)
            var previous = Hash256.zero
            for entry in entries {
                previous = EntryHash.next(
                    after: previous, kind: entry.kind, channel: "org", sequence: entry.sequence,
                    object: entry.objectHash, acceptedAtMilliseconds: entry.acceptedAtMilliseconds)
                guard previous.bytes == entry.signature else {
                    throw StoreMachine.Broken(description: "entry \(entry.sequence) breaks the chain")
                }
            }
            let heads = try transaction.heads().map { "\($0.channel) \($0.sequence) \($0.entryHash)" }
            let cells = try (0..<20).map { try transaction.cellName("CB\($0)") ?? "-" }
            return "\(heads) \(entries.map(\.sequence)) \(entries.map(\.payload.count)) \(cells)"
        }
    }
}
