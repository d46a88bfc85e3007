import KenhMerge
import KenhProtocol
import KenhTesting

extension SampleBody {
    /// Any body that a writer may make: several tables, all types, pins, erasable columns.
    static func random(_ random: inout SeededGenerator) -> SampleBody {
        let tables = (0..<1 + random.below(4)).map { number in
            Table(
                name: "t\(random.below(1000))_\(number)", idType: random.chance(percent: 50) ? .text : .blob,
                columns: (0..<random.below(random.chance(percent: 10) ? 63 : 6)).map {
                    random.chance(percent: 15) ? "secret\($0)" : "c\($0)"
                })
        }
        let pins = (0..<random.below(4)).map { _ in
            ReplicaPin(
                replica: .random(using: &random), counter: 1 + UInt64(random.below(1 << 40)),
                hash: HashPrefix(random.next(), random.next()))
        }
        let style = Style(random: &random)
        let firstCounter = 1 + (random.chance(percent: 50) ? 0 : random.next() >> 4)
        let changes = (0..<1 + random.below(random.chance(percent: 10) ? 300 : 20)).map { at in
            change(at, of: tables, pins, style, firstCounter, &random)
        }
        return SampleBody(tables: tables, changes: changes, firstCounter: firstCounter)
    }

    /// What the columns of one body have in common, so that every compact form comes up.
    private struct Style {
        let onlyType: Int?
        let prefix: String
        let scale: Double
        let hexIDs: Bool
        let clockStep: Int
        let namesByBirth: Bool

        init(random: inout SeededGenerator) {
            onlyType = random.chance(percent: 50) ? random.below(5) : nil
            prefix = random.chance(percent: 40) ? "đơn vị " : ""
            scale = random.pick([0, 1, 100, 1e9]) ?? 0
            hexIDs = random.chance(percent: 30)
            clockStep = random.below(3) * 1000
            namesByBirth = random.chance(percent: 40)
        }
    }

    private static func change(
        _ at: Int, of tables: [Table], _ pins: [ReplicaPin], _ style: Style, _ firstCounter: UInt64,
        _ random: inout SeededGenerator
    ) -> SampleChange {
        let table = tables[random.below(tables.count)]
        var kind = ChangeKind(rawValue: UInt8(random.below(4))) ?? .insert
        let countable = table.columns.filter { !$0.hasPrefix("secret") }
        if kind == .add, countable.isEmpty { kind = .delete }
        if table.columns.isEmpty, kind == .update { kind = .delete }
        var values: [String: Value] = [:]
        if kind == .add {
            for name in countable where values.isEmpty || random.chance(percent: 40) { values[name] = integer(&random) }
        } else if kind != .delete {
            for name in table.columns where kind == .insert || random.chance(percent: 40) {
                values[name] = value(style, &random)
            }
            if kind == .update, values.isEmpty { values[table.columns[0]] = value(style, &random) }
        }
        let milliseconds = 1_700_000_000_000 + Int64(at * style.clockStep)
        let birth = kind == .insert || !style.namesByBirth ? nil : birth(firstCounter, pins, &random)
        let spelled = id(table.idType, style, &random)
        let unnamed: Value = table.idType == .text ? .text([]) : .blob([])
        return SampleChange(
            kind: kind, table: table.name, id: birth == nil ? spelled : unnamed,
            clock: HybridClock(milliseconds: milliseconds, tick: UInt16(random.below(style.clockStep + 1))),
            values: values,
            predecessors: kind == .add ? [] : predecessors(firstCounter + UInt64(at), pins, &random), birth: birth)
    }

    private static func id(_ type: RowIDType, _ style: Style, _ random: inout SeededGenerator) -> Value {
        let bytes = random.next().bigEndianBytes + random.next().bigEndianBytes
        if style.hexIDs { return type == .text ? .text(bytes.hex) : .blob(bytes + bytes) }
        return type == .text ? .text("hàng-\(random.below(1000))") : .blob(Array(bytes.prefix(1 + random.below(16))))
    }

    private static func predecessors(
        _ counter: UInt64, _ pins: [ReplicaPin], _ random: inout SeededGenerator
    ) -> Set<SampleChange.Predecessor> {
        var result: Set<SampleChange.Predecessor> = []
        for _ in 0..<random.below(4) {
            if let pin = random.pick(pins), random.chance(percent: 60) {
                result.insert(.pinned(pin, 1 + random.next() % pin.counter))
            } else if counter > 1 {
                result.insert(.own(1 + random.next() % (counter - 1)))
            }
        }
        return result
    }

    private static func birth(
        _ firstCounter: UInt64, _ pins: [ReplicaPin], _ random: inout SeededGenerator
    ) -> SampleChange.Predecessor? {
        if let pin = random.pick(pins), random.chance(percent: 50) {
            return .pinned(pin, 1 + random.next() % pin.counter)
        }
        return firstCounter > 1 ? .own(1 + random.next() % (firstCounter - 1)) : nil
    }

    private static func value(_ style: Style, _ random: inout SeededGenerator) -> Value {
        switch style.onlyType ?? random.below(5) {
        case 0: return .null
        case 1: return integer(&random)
        case 2: return .real(real(style, &random))
        case 3: return .text(style.prefix + (random.pick(texts) ?? ""))
        default: return .blob((0..<random.below(20)).map { _ in UInt8(random.below(256)) })
        }
    }

    private static func integer(_ random: inout SeededGenerator) -> Value {
        .integer(integers[random.below(integers.count)] &+ Int64(random.below(3)))
    }

    private static func real(_ style: Style, _ random: inout SeededGenerator) -> Double {
        if style.scale > 0 { return Double(random.below(2_000_000) - 1_000_000) / style.scale }
        let specials = [
            0, -0.0, .pi, -1e308, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 1e15, 9_007_199_254_740_994, 1e-9,
        ]
        return specials[random.below(specials.count)]
    }

    private static let integers: [Int64] = [0, 1, -1, .min, .max - 2, 1_000_000, -64, 63, 64]
    private static let texts = [
        "", "a", "kế hoạch", "ke\u{302}\u{301} hoa\u{323}ch", "\u{10FFFF}", "n---0123456789abcdef",
    ]
}
