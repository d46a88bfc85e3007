/// Everything that people, machines and accidents do in a simulation, worked out from a seed before it begins.
public struct SimulationPlan: Sendable {
    /// Which backups are put back. Where the centre's is, clocks stay within the tolerance: its new log gives later
    /// times of acceptance than the lost one, and until those are handed back, too, a claim beyond the tolerance would
    /// be ordered by different times on different nodes.
    ///
    /// The centre's is put back only where a plan asks for it: a restored centre that lost blocks whose receipts came
    /// and whose entries did not is not noticed by their writer so far.
    public enum Restores: String, CaseIterable, Sendable { case none, cells, centre }

    public struct Options: Sendable {
        public var cellCount = 8
        /// Nil to let the seed choose.
        public var restores: Restores?
        /// Clocks may be wrong beyond the tolerance even where the centre's backup is put back.
        public var hasAnyClock = false
        public var hasClones = false
        /// Some seeds put a backup of the centre's back.
        public var hasCentreRestores = false

        public init() {}
    }

    public let seed: UInt64
    public let cellCount: Int
    public let restores: Restores
    public let hasClones: Bool
    /// In how many of 100 exchanges each fault of the line strikes.
    public let linkPercent: Int
    /// The simulation ends after so many events, arrivals and timers among them.
    public let eventLimit: Int
    public var steps: [SimulationStep]

    public init(seed: UInt64, eventLimit: Int, options: Options = Options()) {
        self.seed = seed
        self.eventLimit = eventLimit
        cellCount = options.cellCount
        hasClones = options.hasClones
        var random = SeededGenerator(seed: seed)
        restores =
            options.restores ?? [.none, .none, .cells, options.hasCentreRestores ? .centre : .cells][Int(seed % 4)]
        linkPercent = [1, 3, 6, 10][random.below(4)]
        var draw = SimulationDraw(
            random: random, nodes: cellCount + 1, restores: restores,
            isTolerable: !options.hasAnyClock && restores == .centre, hasClones: hasClones)
        steps = (0..<eventLimit).map { _ in draw.step() }
    }

    public var text: String {
        let head = "seed \(seed), \(cellCount) cells, restores of \(restores), line \(linkPercent) %"
        return (["\(head), \(steps.count) steps"] + steps.map { "  \($0)" }).joined(separator: "\n")
    }
}
