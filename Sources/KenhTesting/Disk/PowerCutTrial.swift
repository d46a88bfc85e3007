/// Lets a machine do the same thing again and again and strikes it at one I/O after the other; each time it has to come
/// up by itself with all that was acknowledged and nothing by halves.
public struct PowerCutTrial {
    /// What a machine does. It has to do the same each time, down to the order of its I/Os.
    public struct Scenario: Sendable {
        public let name: String
        /// Makes the files that the machine starts with.
        public let prepare: @Sendable (RAMDisk) throws -> Void
        /// Starts, works, and calls the closure whenever something has been acknowledged.
        public let act: @Sendable (RAMDisk, () throws -> Void) throws -> Void
        /// Starts, checks everything, and says what there is; thoroughly where the last argument is true.
        public let inspect: @Sendable (RAMDisk, Bool) throws -> String

        public init(
            _ name: String, prepare: @escaping @Sendable (RAMDisk) throws -> Void,
            act: @escaping @Sendable (RAMDisk, () throws -> Void) throws -> Void,
            inspect: @escaping @Sendable (RAMDisk, Bool) throws -> String
        ) {
            (self.name, self.prepare, self.act, self.inspect) = (name, prepare, act, inspect)
        }
    }

    public struct Outcome: Sendable {
        public var tally = RAMDisk.Tally()
        /// I/Os of the scenario at which a fault may strike.
        public var ioCount = 0
        /// What was found broken, with the seed.
        public var losses: [String] = []
    }

    private let scenario: Scenario
    private let base: RAMDisk
    /// What there is at the beginning and after each acknowledgement.
    private let states: [String]
    private let ioCount: Int
    /// One thorough inspection in so many.
    public var thoroughEvery = 8

    /// Plays the scenario once without a fault.
    public init(_ scenario: Scenario) throws {
        self.scenario = scenario
        // A scenario may set the time of its thread, which tests share.
        defer { SQLiteTime.clear() }
        base = RAMDisk(seed: 0)
        try scenario.prepare(base)
        var states = [try scenario.inspect(base.copy(seed: 0), true)]
        let disk = base.copy(seed: 0)
        try scenario.act(disk) { states.append(try scenario.inspect(disk.copy(seed: 0), true)) }
        self.states = states
        ioCount = disk.count(.changing)
    }

    /// Strikes once for each seed, at each I/O in turn.
    ///
    /// - Parameter thenCut: whether the power is cut once the machine has come up and shown what it has, which it has to
    ///   have still after that.
    public func run(
        _ fault: RAMDisk.Fault, seeds: Range<UInt64>, lies: RAMDisk.Lies = [], thenCut: Bool = false
    ) -> Outcome {
        defer { SQLiteTime.clear() }
        var outcome = Outcome()
        outcome.ioCount = ioCount
        let disk = RAMDisk(seed: 0, sectorBytes: seeds.lowerBound.isMultiple(of: 2) ? 4096 : 512)
        for seed in seeds {
            let after = 1 + Int(seed % UInt64(max(ioCount, 1)))
            do { try strike(disk, fault, after, seed, lies, thenCut) } catch {
                outcome.losses.append(
                    "\(scenario.name), seed \(seed), \(fault) at I/O \(after) of \(ioCount): \(error)")
            }
        }
        outcome.tally = disk.tally
        return outcome
    }

    private func strike(
        _ disk: RAMDisk, _ fault: RAMDisk.Fault, _ after: Int, _ seed: UInt64, _ lies: RAMDisk.Lies, _ thenCut: Bool
    ) throws {
        disk.replace(with: base)
        disk.seed(seed)
        disk.lie(lies)
        disk.arm(fault, after: after)
        var acknowledged = 0
        var failure: (any Error)?
        do { try scenario.act(disk) { acknowledged += 1 } } catch { failure = error }
        disk.disarm()
        disk.lie([])
        disk.start()
        let state = try scenario.inspect(disk, seed.isMultiple(of: UInt64(thoroughEvery)))
        if thenCut {
            disk.cutPower()
            disk.start()
            let left = try scenario.inspect(disk, false)
            guard left == state else { throw SimulationFailure("was there, and after a power cut there is\n\(left)") }
        }
        // The last thing may be done although nobody was told.
        guard !states[acknowledged...].prefix(2).contains(state) else { return }
        let place =
            states.firstIndex(of: state).map { "what was there after \($0)" } ?? "something that never was:\n\(state)"
        throw SimulationFailure(
            "\(acknowledged) were acknowledged, then \(failure.map { "\($0)" } ?? "all went well"), and there is \(place)"
        )
    }
}
