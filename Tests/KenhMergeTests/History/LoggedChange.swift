import KenhMerge
import KenhTesting

/// A change that was written, with what only the simulation knows of it.
struct LoggedChange: Sendable {
    /// Its number among all changes of the history.
    let number: Int
    /// The line of changes that its writer wrote; two lines may have one replica.
    let line: Int
    var change: ModelChange
    let place: BlockPlace
    /// Everything that its writer had applied when it wrote.
    let seen: Set<Int>
    /// What a node must have applied first: the writer's change before this one, and the predecessors.
    let needs: Set<Int>
}

/// A law that did not hold.
struct BrokenLaw: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    static func unless(_ holds: Bool, _ description: @autoclosure () -> String) throws(BrokenLaw) {
        if !holds { throw BrokenLaw(description()) }
    }
}
