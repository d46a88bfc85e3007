/// The name of one change on this node: a branch of a lane, interned to a small number, and the counter on it.
/// Branch numbers are local; between nodes a dot travels as (replica, counter) with a pin that says which branch.
@frozen
public struct Dot: Hashable, Sendable {
    public var branch: UInt32
    public var counter: UInt64

    @inlinable
    public init(branch: UInt32, counter: UInt64) {
        self.branch = branch
        self.counter = counter
    }
}

/// What a node knows of its branches, asked only where two writes must be put in the order that all nodes share.
public protocol DotOrder {
    func replica(ofBranch branch: UInt32) -> ReplicaID
    /// The hash of the block that holds the dot; decides only between two branches of one cloned lane.
    func blockHash(of dot: Dot) -> Hash256
}
