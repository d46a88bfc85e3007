import KenhMerge

/// Some consecutive items of a snapshot, and the tables that they are of.
public struct SnapshotChunk: Sendable {
    static let version: UInt8 = 1
    static let struckForm: UInt8 = 1

    public internal(set) var tables: [BodyTable]
    /// In ascending order of their places.
    public internal(set) var items: [(place: SnapshotDot, item: SnapshotItem)]

    public static func hash(_ plain: [UInt8]) -> Hash256 { Hashing.sha256(domain: .snapshotChunk, plain) }

    /// - Throws: ``ProtocolError`` with code `malformed`.
    public init(decoding bytes: [UInt8]) throws(ProtocolError) {
        let read = bytes.withUnsafeBytes { buffer -> Result<SnapshotChunk, MalformedBytes> in
            do throws(MalformedBytes) {
                var reader = SnapshotChunkReader(buffer)
                return .success(try reader.chunk())
            } catch { return .failure(error) }
        }
        switch read {
        case .success(let chunk): self = chunk
        case .failure(let error):
            throw ProtocolError(
                .malformed, "a chunk of the snapshot is malformed: \(error.reason) at byte \(error.offset)")
        }
    }

    init(tables: [BodyTable], items: [(place: SnapshotDot, item: SnapshotItem)]) {
        self.tables = tables
        self.items = items
    }
}

extension BlockBirths {
    /// What a snapshot says of the inserts of a block that is here without its body.
    ///
    /// - Parameter items: of the block, from chunks with these tables.
    public init(_ found: [(tables: [BodyTable], items: ArraySlice<(place: SnapshotDot, item: SnapshotItem)>)]) {
        var rows: [(index: Int, table: BodyTable, id: [UInt8])] = []
        for (tables, items) in found {
            for (place, item) in items {
                guard case .row(let table, let id, _) = item else { continue }
                rows.append((Int(clamping: place.index), tables[table], id))
            }
        }
        self.init(rows: rows)
    }
}
