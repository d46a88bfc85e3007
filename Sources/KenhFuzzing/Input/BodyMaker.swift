import KenhMerge
import KenhProtocol

/// Bodies that keep the format and mean anything at all: tables that nobody declared, ids of the wrong type, values of
/// the wrong type, clocks of any year, predecessors that do not belong to the row.
struct BodyMaker {
    private(set) var input: FuzzInput

    init(_ input: FuzzInput) { self.input = input }

    private struct Shape {
        let name: String
        let idType: RowIDType
        let columns: [String]
    }

    private static let shapes = [
        Shape(name: "note", idType: .text, columns: ["title", "size", "data", "secret"]),
        Shape(name: "task", idType: .text, columns: ["title", "points", "newer"]),
        Shape(name: "photo", idType: .blob, columns: ["data"]),
        Shape(name: "photo", idType: .text, columns: ["data", "title"]),
        Shape(name: "unheard", idType: .text, columns: ["a", "b"]),
    ]

    /// One to sixteen changes.
    ///
    /// - Parameters:
    ///   - pins: blocks of other lines that may be named.
    ///   - ownCounter: the last counter on the writer's own line.
    mutating func body(pins: [ReplicaPin], ownCounter: UInt64) -> BodyBuilder {
        let builder = BodyBuilder()
        // A block names a table once: the first shape of a name is the one that counts.
        let text = input.flag()
        let shapes = Self.shapes.enumerated().filter { $0.offset != (text ? 2 : 3) }.map(\.element)
        for number in 0..<(input.below(16) + 1) {
            let shape = shapes[input.below(shapes.count)]
            let table = builder.table(shape.name, idType: shape.idType, columns: shape.columns)
            change(shape, table, builder, pins: pins, ownCounter: ownCounter + UInt64(number))
        }
        return builder
    }

    private mutating func change(
        _ shape: Shape, _ table: Int, _ builder: BodyBuilder, pins: [ReplicaPin], ownCounter: UInt64
    ) {
        let kind = input.pick([ChangeKind.insert, .update, .delete, .insert])
        var columns: ColumnSet = []
        if kind != .delete {
            columns = ColumnSet(rawValue: UInt64(input.byte())).intersection(.first(shape.columns.count))
        }
        if kind == .update, columns.isEmpty { columns = .column(0) }
        let id = id(shape.idType)
        let predecessors = predecessors(pins, ownCounter, builder)
        id.withUnsafeBytes {
            builder.change(
                kind, table: table, id: $0, clock: input.clock(), columns: columns, predecessors: predecessors)
        }
        columns.forEach { column in
            let value = input.value()
            if shape.columns[column] == "secret", input.flag() {
                builder.erasable(value, salt: [UInt8](repeating: 9, count: 16), table: table, column: column)
            } else {
                builder.value(value, table: table, column: column)
            }
        }
    }

    /// Few different ones, so that changes meet in one row.
    private mutating func id(_ type: RowIDType) -> [UInt8] {
        switch (type, input.below(8)) {
        case (.blob, 7): [1, 2, 3]
        case (.blob, let number): [UInt8](repeating: UInt8(number), count: 16)
        case (.text, 6): Array(String(repeating: "é", count: 1001).utf8)
        case (.text, 7): Array("0123456789abcdef0123456789abcdef".utf8)
        case (.text, let number): Array("r\(number)".utf8)
        }
    }

    private mutating func predecessors(
        _ pins: [ReplicaPin], _ ownCounter: UInt64, _ builder: BodyBuilder
    ) -> [WireDot] {
        var dots: [WireDot] = []
        for _ in 0..<input.below(4) {
            let choice = input.below(pins.count + 1)
            if choice < pins.count {
                let pin = pins[choice]
                let counter = pin.counter &- UInt64(input.byte()) % max(pin.counter, 1)
                dots.append(WireDot(reference: builder.reference(to: pin), counter: max(counter, 1)))
            } else if ownCounter > 0 {
                dots.append(WireDot(reference: 0, counter: ownCounter - UInt64(input.byte()) % ownCounter))
            }
        }
        return dots
    }
}
