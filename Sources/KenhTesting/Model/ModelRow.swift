import KenhMerge

/// What people must be told of a row.
public enum ModelConflict: Hashable, Sendable {
    case column(Int, shown: ModelName, losers: [ModelName])
    case keptDespiteDelete
}

/// A row as the definitions say, computed from nothing but the set of its changes.
///
/// - A write is present in a column that it wrote unless some insert or update that wrote the column, too, names it.
///   An addition is a write and names nothing.
/// - A present write is removed where some delete names it.
/// - Shown in a column is the highest unremoved present write, or where there is none the highest removed.
/// - Where additions are present, the line has the integer shown (0 for anything else) plus all of theirs.
/// - The row is alive while any present write is unremoved, and shown while it is alive and an insert is present.
public struct ModelRow: Hashable, Sendable {
    /// What is present, in an order that every node computes the same.
    public let stamps: [ModelStamp]

    public init(stamps: some Sequence<ModelStamp>) { self.stamps = stamps.sorted { $0.precedes($1) } }

    /// - Parameter finals: writes that are deleted for good: they are in nobody's state, and what they replaced is not,
    ///   either.
    public init(changes: some Collection<ModelChange>, without finals: Set<ModelName> = []) {
        let writes = changes.filter { $0.kind != .delete }
        let deletes = changes.filter { $0.kind == .delete }
        var stamps: [ModelStamp] = []
        for write in writes where !finals.contains(write.name) {
            let isRemoved = deletes.contains { $0.predecessors.contains(write.name) }
            let successors = writes.filter { $0.kind != .add && $0.predecessors.contains(write.name) }
            for column in write.written where !successors.contains(where: { $0.written.contains(column) }) {
                stamps.append(
                    ModelStamp(
                        column: column, name: write.name, clock: write.clock, isRemoved: isRemoved,
                        isDelta: write.kind == .add, value: write.values[column]))
            }
        }
        self.init(stamps: stamps)
    }

    public var isAlive: Bool { stamps.contains { !$0.isRemoved } }

    public var isShown: Bool { isAlive && stamps.contains { $0.column == ModelStamp.existence } }

    /// The columns that hold anything, without existence.
    public var columns: Set<Int> { Set(stamps.map(\.column)).subtracting([ModelStamp.existence]) }

    /// The write shown in a column, or the one that its additions are added to.
    public func winner(_ column: Int) -> ModelStamp? { stamps.first { $0.column == column && !$0.isDelta } }

    public func additions(_ column: Int) -> [ModelStamp] { stamps.filter { $0.column == column && $0.isDelta } }

    /// The other unremoved writes of a column, best first.
    public func losers(_ column: Int) -> [ModelStamp] {
        Array(stamps.filter { $0.column == column && !$0.isRemoved && !$0.isDelta }.dropFirst())
    }

    /// The line that a table shows; nil where it shows none.
    public var line: [Int: Value]? {
        guard isShown else { return nil }
        return columns.reduce(into: [:]) { line, column in line[column] = shown(column) }
    }

    private func shown(_ column: Int) -> Value? {
        let base = winner(column)?.value
        let additions = additions(column)
        guard !additions.isEmpty else { return base }
        let numbers = ([base] + additions.map(\.value)).map { value -> Int64 in
            if case .integer(let number)? = value { number } else { 0 }
        }
        return .integer(numbers.reduce(0, &+))
    }

    /// What a new write of these columns has to name, losers and removed ones, too.
    public func predecessors(ofWriteTo columns: Set<Int>) -> Set<ModelName> {
        Set(stamps.filter { columns.contains($0.column) }.map(\.name))
    }

    public var conflicts: Set<ModelConflict> {
        guard isShown else { return [] }
        var result: Set<ModelConflict> = []
        if stamps.filter({ $0.column == ModelStamp.existence }).allSatisfy(\.isRemoved) {
            result.insert(.keptDespiteDelete)
        }
        for column in columns {
            let losers = losers(column)
            guard !losers.isEmpty, let shown = winner(column) else { continue }
            result.insert(.column(column, shown: shown.name, losers: losers.map(\.name)))
        }
        return result
    }
}

extension ModelRow: CustomStringConvertible {
    public var description: String { stamps.map(\.description).joined(separator: "\n") }
}
