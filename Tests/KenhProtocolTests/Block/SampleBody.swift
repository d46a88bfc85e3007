import KenhMerge
import KenhProtocol
import KenhTesting

/// A change in terms that do not depend on how a body numbers things.
struct SampleChange: Equatable {
    enum Predecessor: Hashable {
        case own(UInt64)
        case pinned(ReplicaPin, UInt64)
    }

    var kind: ChangeKind
    var table: String
    var id: Value
    var clock: HybridClock
    /// In the order of the table's columns.
    var values: [String: Value]
    var predecessors: Set<Predecessor>
    /// Names the row instead of the id, which is empty then.
    var birth: Predecessor?
}

/// What a body is made of, and the body made of it.
struct SampleBody {
    struct Table {
        let name: String
        let idType: RowIDType
        /// Names beginning with `secret` are erasable.
        let columns: [String]
    }

    var tables: [Table]
    var changes: [SampleChange]
    var firstCounter: UInt64 = 1

    func builder(salts seed: UInt64 = 5) -> BodyBuilder {
        var random = SeededGenerator(seed: seed)
        let builder = BodyBuilder()
        for change in changes { append(change, to: builder, &random) }
        return builder
    }

    private func append(_ change: SampleChange, to builder: BodyBuilder, _ random: inout SeededGenerator) {
        guard let table = tables.first(where: { $0.name == change.table }) else { return }
        let number = builder.table(table.name, idType: table.idType, columns: table.columns)
        var columns: ColumnSet = []
        for (at, name) in table.columns.enumerated() where change.values[name] != nil { columns.insert(.column(at)) }
        let wire = { (dot: SampleChange.Predecessor) -> WireDot in
            switch dot {
            case .own(let counter): WireDot(reference: 0, counter: counter)
            case .pinned(let pin, let counter): WireDot(reference: builder.reference(to: pin), counter: counter)
            }
        }
        let predecessors = change.predecessors.sorted { "\($0)" < "\($1)" }.map(wire)
        change.id.sampleBytes.withUnsafeBytes {
            builder.change(
                change.kind, table: number, id: $0, clock: change.clock, columns: columns,
                birth: change.birth.map(wire), predecessors: predecessors)
        }
        for (at, name) in table.columns.enumerated() {
            guard let value = change.values[name] else { continue }
            if name.hasPrefix("secret"), value != .null {
                let salt = random.next().bigEndianBytes + random.next().bigEndianBytes
                builder.erasable(value, salt: salt, table: number, column: at)
            } else {
                builder.value(value, table: number, column: at)
            }
        }
    }

    /// The changes of a decoded body; values that are gone are left out.
    static func changes(of body: BlockBody) -> [SampleChange] {
        let births = Dictionary(uniqueKeysWithValues: body.births.map { ($0.change, $0.birth) })
        return (0..<body.count).map { at in
            let table = body.tables[Int(body.tableRefs[at])]
            let id = Array(body.id(of: at))
            let names = table.columns.indices.filter { body.masks[at] >> UInt64($0) & 1 == 1 }.map { table.columns[$0] }
            var values: [String: Value] = [:]
            for (name, ref) in zip(names, body.values(of: at)) where ref.tag != .commitment {
                values[name] = body.value(ref)
            }
            let sample = { (dot: WireDot) -> SampleChange.Predecessor in
                dot.reference == 0
                    ? .own(dot.counter) : .pinned(body.pins[Int(dot.reference) - 1], dot.counter)
            }
            let predecessors = body.predecessors(of: at).map(sample)
            return SampleChange(
                kind: body.kinds[at], table: table.name, id: table.idType == .text ? .text(id) : .blob(id),
                clock: body.clocks[at], values: values, predecessors: Set(predecessors),
                birth: births[at].map(sample))
        }
    }
}

extension Value {
    var sampleBytes: [UInt8] {
        switch self {
        case .text(let x), .blob(let x): x
        default: []
        }
    }
}
