import KenhMerge
import KenhProtocol

/// A change that was made here and that the centre struck, because its cell was not allowed to make it.
public struct RejectedChange: Sendable, Equatable {
    public let block: Hash256
    /// In the block, from 0.
    public let place: Int
    public let table: String
    public let id: Value
    public let channel: String
    public let kind: ChangeKind
    public let officer: String
    /// When it was made by this device's clock, milliseconds since 1970.
    public let madeAtMilliseconds: Int64
    /// When this device was told.
    public let rejectedAtMilliseconds: Int64
    /// What it wrote, or added to counters.
    public let values: [String: Value]
    /// Why, for programs.
    public let code: String
    /// Why, for people.
    public let message: String
}

extension Store {
    /// Changes made here that nobody merges, oldest first. They stay until ``forgetRejected(where:)``.
    public func rejected() throws(StoreError) -> [RejectedChange] {
        try reading { try RejectedTable(sql: $0.sql).all().map(\.change) }
    }

    /// Drops rejected changes from the list for good.
    /// - Returns: how many.
    public func forgetRejected(where isUnwanted: (RejectedChange) -> Bool) throws(StoreError) -> Int {
        try transaction { _, core in
            let table = RejectedTable(sql: core.sql)
            let unwanted = try table.all().filter { isUnwanted($0.change) }
            for found in unwanted { try table.forget(found.number) }
            return unwanted.count
        }
    }
}

/// `kenh_rejected`: kept apart from blocks, which go when their channel does.
struct RejectedTable {
    let sql: StatementCache

    /// - Parameter body: complete: every row has its id.
    /// - Returns: how many changes were not in the list.
    func add(_ rejection: Rejection, _ body: BlockBody, at milliseconds: Int64) throws -> Int {
        let (block, ruling) = (rejection.block, rejection.ruling)
        var added = 0
        for place in ruling.struck.ranges.joined() where place < body.count {
            let insert = try sql(
                """
                INSERT OR IGNORE INTO kenh_rejected(hash, place, at, channel, tbl, id, kind, officer, made_at, content,
                    code, message) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING 1
                """)
            let table = body.tables[Int(body.tableRefs[place])]
            let id = Array(body.id(of: place))
            insert.bind(1, copying: block.hash.bytes)
            insert.bind(2, place)
            insert.bind(3, milliseconds)
            insert.bind(4, copying: block.header.channel)
            insert.bind(5, copying: table.name)
            insert.bind(6, copying: table.idType == .text ? .text(id) : .blob(id))
            insert.bind(7, Int(body.kinds[place].rawValue))
            insert.bind(8, copying: block.header.officer)
            insert.bind(9, body.clocks[place].milliseconds)
            insert.bind(10, copying: Self.content(body, place, table, of: rejection.rows[place] ?? [:]))
            insert.bind(11, copying: ruling.code)
            insert.bind(12, copying: ruling.message)
            if try insert.step() { added += 1 }
            insert.reset()
        }
        return added
    }

    /// What the change wrote, then what else its row showed.
    private static func content(
        _ body: BlockBody, _ place: Int, _ table: BodyTable, of row: [String: Value]
    ) -> [UInt8] {
        let names = table.columns.indices.filter { body.masks[place] >> UInt64($0) & 1 == 1 }.map { table.columns[$0] }
        var writer = ByteWriter()
        for (name, value) in zip(names, body.values(of: place)) {
            writer.prefixed(Array(name.utf8))
            writer.value(body.value(value))
        }
        for (name, value) in row.sorted(by: { $0.key < $1.key }) where !names.contains(name) && value != .null {
            writer.prefixed(Array(name.utf8))
            writer.value(value)
        }
        return writer.bytes
    }

    func all() throws(StoreError) -> [(number: Int64, change: RejectedChange)] {
        let read = try sql(
            """
            SELECT number, tbl, id, channel, kind, officer, made_at, at, content, code, message, hash, place
            FROM kenh_rejected WHERE is_forgotten = 0 ORDER BY number
            """)
        defer { read.reset() }
        var found: [(number: Int64, change: RejectedChange)] = []
        while try read.step() {
            let change = RejectedChange(
                block: Hash256(bytes: read.bytes(11)) ?? .zero, place: Int(read.int(12)), table: read.string(1),
                id: read.value(2), channel: read.string(3),
                kind: ChangeKind(rawValue: UInt8(clamping: read.int(4))) ?? .update, officer: read.string(5),
                madeAtMilliseconds: read.int(6), rejectedAtMilliseconds: read.int(7),
                values: Self.values(read.bytes(8)),
                code: read.string(9), message: read.string(10))
            found.append((read.int(0), change))
        }
        return found
    }

    /// Of damaged bytes, what can be read of them.
    private static func values(_ bytes: UnsafeRawBufferPointer) -> [String: Value] {
        var reader = ByteReader(bytes)
        var values: [String: Value] = [:]
        while !reader.isAtEnd, let name = try? reader.prefixed(upTo: Limits.nameBytes), let value = try? reader.value()
        {
            values[String(decoding: name, as: UTF8.self)] = value
        }
        return values
    }

    /// Takes values out: they are NULL from then on.
    func erase(_ names: Set<Erasure.Name>, of block: Hash256) throws(StoreError) {
        for place in Set(names.map(\.place)) {
            let read = try sql("SELECT number, content FROM kenh_rejected WHERE hash = ? AND place = ?")
            read.bind(1, copying: block.bytes)
            read.bind(2, place)
            let found = try read.step() ? (number: read.int(0), content: read.array(1)) : nil
            read.reset()
            guard let found else { continue }
            let columns = Set(names.filter { $0.place == place }.map { Array($0.column.utf8) })
            let update = try sql("UPDATE kenh_rejected SET content = ?2 WHERE number = ?1")
            update.bind(1, found.number)
            update.bind(2, copying: Self.erasing(columns, from: found.content))
            try update.run()
        }
    }

    private static func erasing(_ columns: Set<[UInt8]>, from content: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        content.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            while !reader.isAtEnd, let name = try? reader.prefixed(upTo: Limits.nameBytes).map({ $0 }),
                let value = try? reader.value()
            {
                writer.prefixed(name)
                writer.value(columns.contains(name) ? .null : value)
            }
        }
        return writer.bytes
    }

    /// Its name stays, so that nobody is told again where the block comes back.
    func forget(_ number: Int64) throws(StoreError) {
        let update = try sql("UPDATE kenh_rejected SET is_forgotten = 1, content = x'' WHERE number = ?")
        update.bind(1, number)
        try update.run()
    }
}
