/// One step of a simulation's plan. Numbers are taken modulo what there is, and each step draws from a seed of its own,
/// so that it has a meaning whatever was left out before it.
public struct SimulationStep: Hashable, Sendable {
    public enum Action: Hashable, Sendable {
        /// One transaction of somebody's: a few statements, by Kenh or by another program.
        case work
        case importRows(Int)
        /// Somebody settles some of the conflicts that they see.
        case decide
        /// A cell begins to sync; the centre takes its log in.
        case sync
        /// A request of the cell's that was sent long ago comes to the centre once more.
        case replay
        /// The process ends between two transactions and comes up again.
        case crash
        case backUp, restore
        /// A second machine goes on with a copy of the cell's disk.
        case clone
        case upgrade
        /// The centre gives a cell, or all, another role in a channel, or in several.
        case grant(cell: Int, channel: Int, role: Int)
        /// The centre erases what a row's erasable columns ever held.
        case erase(Int)
        /// The centre makes deletions final that everybody has seen, or for which it has waited long enough.
        case settleDeletions(patienceMilliseconds: Int64)
        /// The device of a cell is revoked.
        case revoke(cell: Int)
        /// Somebody attaches a file of so many bytes.
        case attach(bytes: Int)
        /// A cell gives and fetches attachments.
        case carry
        case setClock(offsetMilliseconds: Int64, driftPerThousand: Int64)
        /// Nothing passes on the lines of this cell and so many after it.
        case part(cells: Int, milliseconds: Int64)
        /// The cell's requests arrive and no answer comes back.
        case halfOpen(milliseconds: Int64)
    }

    /// What goes wrong from this step on, besides what the line does.
    public enum Hazard: Hashable, Sendable {
        case none
        /// The disk of the node, or the centre's, meets a fault at one of its next I/Os.
        case disk(RAMDisk.Fault, after: Int)
        case centreDisk(RAMDisk.Fault, after: Int)
        /// Until the node's next step.
        case fullDisk(roomBytes: Int)
        case log(FaultyLog.Fault)
    }

    /// 0 is the centre.
    public let node: Int
    public let action: Action
    public let hazard: Hazard
    /// Between the step before and this one.
    public let afterMilliseconds: Int64
    public let salt: UInt64
}

extension SimulationStep: CustomStringConvertible {
    public var description: String {
        let who = node == 0 ? "centre" : "cell \(node)"
        let what = hazard == .none ? "\(who): \(action)" : "\(who): \(action), \(hazard)"
        return "+\(afterMilliseconds) ms \(what)"
    }
}
