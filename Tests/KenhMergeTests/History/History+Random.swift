import KenhMerge
import KenhTesting

extension History {
    /// The history that a seed stands for.
    init(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let nodes = 2 + generator.below(5)
        let length = 12 + generator.below(45)
        self.init(seed: seed, nodes: nodes, steps: [])
        for number in 0..<length { steps.append(Self.step(number, nodes: nodes, using: &generator)) }
    }

    private static func step(_ number: Int, nodes: Int, using generator: inout SeededGenerator) -> HistoryStep {
        let node = generator.below(nodes + 2)
        switch generator.below(100) {
        case ..<48: return .write(draft(number, node: node, using: &generator))
        case ..<86: return .deliver(to: node, changes: 1 + generator.below(12), salt: generator.next())
        case ..<90: return .repack(node: node)
        case ..<93: return .upgrade(node: node)
        case ..<95: return .clone(node: node)
        default: return .retime(change: generator.below(60), milliseconds: milliseconds(using: &generator))
        }
    }

    private static func draft(_ number: Int, node: Int, using generator: inout SeededGenerator) -> Draft {
        let kinds: [Draft.Kind] = [
            .insert, .insert, .insert, .replace, .blindInsert, .blindUpdate, .update, .update, .update, .update,
            .delete,
            .delete, .add, .add, .add, .blindAdd,
        ]
        let kind = generator.pick(kinds) ?? .update
        let isAddition = kind == .add || kind == .blindAdd
        var values: [Int: Value] = [:]
        for column in 0..<columnCount where generator.chance(percent: 55) {
            values[column] =
                isAddition
                ? .integer(amount(number, using: &generator))
                : value(number * columnCount + column, using: &generator)
        }
        return Draft(
            node: node, row: generator.below(2), kind: kind, values: values,
            milliseconds: milliseconds(using: &generator), keepsFloor: generator.chance(percent: 60),
            throughTable: generator.chance(percent: 50))
    }

    /// Mostly a value that nobody else writes, so that its loss would show; at times one that others write, too.
    private static func value(_ number: Int, using generator: inout SeededGenerator) -> Value {
        let common: [Value] = [
            nil, 1, 1, 2, 1.0, 0.0, .real(-0.0), "é", "e\u{301}", .blob([0xFF, 0]), "", .integer(.min), .integer(.max),
        ]
        return generator.chance(percent: 70) ? .text("v\(number)") : generator.pick(common) ?? nil
    }

    /// Mostly a power of three times a sign, so that a sum tells its parts.
    private static func amount(_ number: Int, using generator: inout SeededGenerator) -> Int64 {
        if generator.chance(percent: 10) { return generator.pick([.min, .max, 0, -1] as [Int64]) ?? 0 }
        return (0..<number % 30).reduce(1) { product, _ in product * 3 } * (generator.chance(percent: 30) ? -1 : 1)
    }

    /// Few different times, so that clocks are often equal, and some that are hours wrong.
    private static func milliseconds(using generator: inout SeededGenerator) -> Int64 {
        let base: Int64 = 1_700_000_000_000
        return base + (generator.pick([0, 0, 0, 1, 1, 2, 10_800_000, -3_600_000, -1_800_000_000_000] as [Int64]) ?? 0)
    }
}
