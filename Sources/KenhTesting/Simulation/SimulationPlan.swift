/// Everything that people, machines and accidents do in a simulation, worked out from a seed before it begins.
public struct SimulationPlan: Sendable {
    /// Which backups are put back.
    public enum Restores: String, CaseIterable, Sendable { case none, cells, centre }

    public struct Options: Sendable {
        public var cellCount = 8
        /// Nil to let the seed choose.
        public var restores: Restores?
        public var hasClones = true
        /// Nil to let the seed choose.
        public var hasRights: Bool?
        /// Nil to let the seed choose.
        public var hasErasures: Bool?
        /// Nil to let the seed choose.
        public var hasDeletions: Bool?
        /// Nil to let the seed choose.
        public var hasRevocations: Bool?
        /// Nil to let the seed choose.
        public var hasAttachments: Bool?

        public init() {}
    }

    public let seed: UInt64
    public let cellCount: Int
    public let restores: Restores
    public let hasClones: Bool
    /// Whether cells' rights change.
    public let hasRights: Bool
    /// Whether values are erased.
    public let hasErasures: Bool
    /// Whether deletions become final.
    public let hasDeletions: Bool
    /// Whether devices are revoked.
    public let hasRevocations: Bool
    public let hasAttachments: Bool
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
        hasRights = options.hasRights ?? (seed % 5 == 2)
        hasErasures = options.hasErasures ?? (seed % 3 == 1)
        hasDeletions = options.hasDeletions ?? (seed % 6 == 2)
        hasRevocations = options.hasRevocations ?? (seed % 7 == 3)
        hasAttachments = options.hasAttachments ?? (seed % 5 == 4)
        if hasRights { changeRights() }
        if hasErasures { eraseSome() }
        if hasDeletions { finishDeletions() }
        if hasAttachments { attachSome() }
        if hasRevocations { revokeSome() }
    }

    private mutating func replace(_ i: Int, _ action: SimulationStep.Action, node: Int = 0) {
        steps[i] = SimulationStep(
            node: node, action: action, hazard: node == 0 ? .none : steps[i].hazard,
            afterMilliseconds: steps[i].afterMilliseconds, salt: steps[i].salt)
    }

    /// Puts attachments, and what carries them, in the place of some steps.
    private mutating func attachSome() {
        var random = SeededGenerator(seed: seed ^ 0xA77AC4)
        for i in steps.indices where random.chance(percent: 6) {
            replace(
                i, random.chance(percent: 25) ? .attach(bytes: 1 + random.below(3_000)) : .carry,
                node: 1 + random.below(cellCount))
        }
    }

    /// Some way into the run, so that those who are revoked have written something before, and write on.
    private mutating func revokeSome() {
        var random = SeededGenerator(seed: seed ^ 0x4E7043)
        for _ in 1...2 where !steps.isEmpty {
            replace(steps.count / 10 + random.below(steps.count / 3 + 1), .revoke(cell: 1 + random.below(cellCount)))
        }
    }

    /// Puts the settling of deletions in the place of some steps. Mostly nobody is waited for, so that some edit what is
    /// gone.
    private mutating func finishDeletions() {
        var random = SeededGenerator(seed: seed ^ 0xDE1E7E)
        for i in steps.indices where random.chance(percent: 2) {
            let patience: Int64 = random.chance(percent: 60) ? 0 : 60_000
            replace(i, .settleDeletions(patienceMilliseconds: patience))
        }
    }

    /// Puts erasures in the place of a few steps.
    private mutating func eraseSome() {
        var random = SeededGenerator(seed: seed ^ 0xE4A5E)
        for i in steps.indices where random.chance(percent: 1) {
            replace(i, .erase(random.below(1000)))
        }
    }

    /// Puts grants in the place of some steps, and leaves the others as they are.
    private mutating func changeRights() {
        var random = SeededGenerator(seed: seed ^ 0x6127)
        for i in steps.indices where random.chance(percent: 2) {
            replace(
                i, .grant(cell: random.below(cellCount + 1), channel: random.below(100), role: random.below(100)))
        }
    }

    public var text: String {
        let head =
            "seed \(seed), \(cellCount) cells, restores of \(restores),\(hasRights ? " rights," : "")"
            + "\(hasErasures ? " erasures," : "")\(hasDeletions ? " deletions," : "")"
            + "\(hasRevocations ? " revocations," : "")\(hasAttachments ? " attachments," : "") line \(linkPercent) %"
        return (["\(head), \(steps.count) steps"] + steps.map { "  \($0)" }).joined(separator: "\n")
    }
}
