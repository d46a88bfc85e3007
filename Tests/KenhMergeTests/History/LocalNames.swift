import KenhMerge
import KenhTesting

/// One node's small numbers for lines, given in the order in which it met them.
struct LocalNames: DotOrder, Sendable {
    private var branches: [Int: UInt32] = [:]
    private var replicas: [ReplicaID] = []
    private var changes: [Dot: LoggedChange] = [:]
    private var dots: [ModelName: Dot] = [:]

    mutating func intern(_ logged: LoggedChange) -> Dot {
        let branch = branches[logged.line] ?? UInt32(replicas.count)
        if branches[logged.line] == nil {
            branches[logged.line] = branch
            replicas.append(logged.change.name.replica)
        }
        let dot = Dot(branch: branch, counter: logged.change.name.counter)
        changes[dot] = logged
        dots[logged.change.name] = dot
        return dot
    }

    func replica(ofBranch branch: UInt32) -> ReplicaID { replicas[Int(branch)] }
    func blockHash(of dot: Dot) -> Hash256 { changes[dot]?.place.hash ?? .zero }
    func place(of dot: Dot) throws(BrokenLaw) -> BlockPlace { try logged(dot).place }
    func name(of dot: Dot) throws(BrokenLaw) -> ModelName { try logged(dot).change.name }
    func dot(of name: ModelName) -> Dot? { dots[name] }

    private func logged(_ dot: Dot) throws(BrokenLaw) -> LoggedChange {
        guard let logged = changes[dot] else { throw BrokenLaw("a state names \(dot), which the node never met") }
        return logged
    }
}
