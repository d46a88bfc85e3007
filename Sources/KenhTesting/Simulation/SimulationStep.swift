/// One step of a simulation. Numbers are taken modulo what there is, and each step draws from a seed of its own, so
/// that it has a meaning whatever was left out before it.
public struct SimulationStep: Hashable, Sendable {
    public enum Action: Hashable, Sendable {
        /// One transaction of somebody's: a few statements, by Kenh or by another program.
        case work
        case importRows(Int)
        /// Somebody settles some of the conflicts that they see.
        case decide
        /// A cell syncs; the centre takes its log in.
        case sync
        /// A request of the cell's that was sent long ago comes to the centre once more.
        case replay
        /// The process ends between two transactions and comes up again.
        case crash
        case backUp, restore
        case upgrade
        case setClock(offsetMilliseconds: Int64, driftPerThousand: Int64)
        case pass(milliseconds: Int64)
    }

    /// What goes wrong during the step, besides what the line does.
    public enum Hazard: Hashable, Sendable {
        case none
        /// The machine, or the centre's, dies at the given reading of its clock.
        case death(reads: Int)
        case centreDeath(reads: Int)
        case fullDisk(pages: Int)
        case log(FaultyLog.Fault)
    }

    /// 0 is the centre.
    public let node: Int
    public let action: Action
    public let hazard: Hazard
    public let salt: UInt64
}

extension SimulationStep: CustomStringConvertible {
    public var description: String {
        let who = node == 0 ? "centre" : "cell \(node)"
        return hazard == .none ? "\(who): \(action)" : "\(who): \(action), \(hazard)"
    }
}
