/// Everything that people, machines and accidents do in a simulation, worked out from a seed before it begins.
public struct SimulationPlan: Sendable {
    /// Which backups are put back.
    public enum Restores: String, CaseIterable, Sendable { case none, cells, centre }

    public struct Options: Sendable {
        public var cellCount = 8
        /// Nil to let the seed choose.
        public var restores: Restores?
        public var hasClones = true

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
        restores = options.restores ?? [.none, .centre, .cells, .centre][Int(seed % 4)]
        linkPercent = [1, 3, 6, 10][random.below(4)]
        var draw = SimulationDraw(
            random: random, nodes: cellCount + 1, restores: restores, hasClones: hasClones)
        steps = (0..<eventLimit).map { _ in draw.step() }
    }

    public var text: String {
        let head = "seed \(seed), \(cellCount) cells, restores of \(restores), line \(linkPercent) %"
        return (["\(head), \(steps.count) steps"] + steps.map { "  \($0)" }).joined(separator: "\n")
    }
}
