import KenhMerge

/// One step of a history. Numbers are taken modulo what there is, so that a step has a meaning whatever was left out
/// before it.
enum HistoryStep: Hashable, Sendable {
    case write(Draft)
    /// Brings up to `changes` changes, chosen by `salt` among those that may be applied, in one batch.
    case deliver(to: Int, changes: Int, salt: UInt64)
    /// Every row state to bytes and back.
    case repack(node: Int)
    /// The node learns the last column, whose values it had only kept.
    case upgrade(node: Int)
    /// A copy of the node's disk goes on writing under the same replica.
    case clone(node: Int)
    /// The clock of a change turns out to have been ahead; every node hears of it.
    case retime(change: Int, milliseconds: Int64)
}

/// What somebody writes, before it is known what the node sees.
struct Draft: Hashable, Sendable {
    enum Kind: CaseIterable, Sendable {
        case insert
        /// Like SQL's REPLACE: an insert that saw everything.
        case replace
        /// An insert or update that names nothing, as if its writer had seen nothing.
        case blindInsert, blindUpdate
        case update, delete
        /// An addition, as a counter's writer makes it; a blind one is of a row that is not shown.
        case add, blindAdd
    }

    let node: Int
    let row: Int
    let kind: Kind
    let values: [Int: Value]
    /// What the writer's wall clock says, right or wrong.
    let milliseconds: Int64
    /// Whether its clock keeps above what it overwrites.
    let keepsFloor: Bool
    /// Whether the values reach the table before the merge sees them, as with plain SQL.
    let throughTable: Bool
}

extension Draft: CustomStringConvertible {
    var description: String {
        let values = values.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
        let clock = "\(milliseconds)\(keepsFloor ? "" : " without floor")"
        return "node \(node) \(kind) r\(row) [\(values)] at \(clock)\(throughTable ? " through the table" : "")"
    }
}

/// A run of steps that can be repeated.
struct History: Sendable {
    static let columnCount = 4

    let seed: UInt64
    let nodes: Int
    var steps: [HistoryStep]

    var text: String {
        (["seed \(seed), \(nodes) nodes, \(steps.count) steps"] + steps.map { "  \($0)" }).joined(separator: "\n")
    }
}
