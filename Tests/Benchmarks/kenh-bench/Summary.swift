/// A step's figures over all runs.
struct Summary: Encodable {
    let step: String
    let unit: String
    let median: Double
    let min: Double
    let max: Double
    /// Median of the ratios to the plain step of the same run; nil where there is none.
    let ratioToPlain: Double?
    /// The same by CPU seconds, which tells more on a machine that is busy otherwise.
    let cpuRatioToPlain: Double?
    /// Median of the ratios to the session extension's step of the same run; nil where there is none.
    let ratioToSession: Double?
    let cpuRatioToSession: Double?
    let runs: Int
    let wallSeconds: Double
    let cpuSeconds: Double
    let peakBytes: Int?
    let values: [Double]

    /// Nil where no run has the step.
    init?(_ step: Step, runs: [[Sample]]) {
        let samples = runs.compactMap { run in run.first { $0.step == step } }
        guard !samples.isEmpty else { return nil }
        self.step = step.rawValue
        unit = step.unit
        values = samples.map(\.value)
        median = Self.median(values)
        min = values.min() ?? 0
        max = values.max() ?? 0
        self.runs = samples.count
        wallSeconds = Self.median(samples.map(\.wallSeconds))
        cpuSeconds = Self.median(samples.map(\.cpuSeconds))
        peakBytes = samples.compactMap(\.peakBytes).max()
        let rate = { (own: Sample, other: Sample) in own.value / other.value }
        // By row: not every step handles as many.
        let cpu = { (own: Sample, other: Sample) in
            (other.cpuSeconds / other.rowCount) / Swift.max(own.cpuSeconds / own.rowCount, 1e-12)
        }
        ratioToPlain = Self.ratio(step, to: step.plain, runs, rate)
        cpuRatioToPlain = step.isRate ? Self.ratio(step, to: step.plain, runs, cpu) : nil
        ratioToSession = Self.ratio(step, to: step.session, runs, rate)
        cpuRatioToSession = step.isRate ? Self.ratio(step, to: step.session, runs, cpu) : nil
    }

    private static func ratio(
        _ step: Step, to other: Step?, _ runs: [[Sample]], _ of: (Sample, Sample) -> Double
    ) -> Double? {
        let ratios: [Double] = runs.compactMap { run in
            guard let own = run.first(where: { $0.step == step }),
                let other = run.first(where: { $0.step == other })
            else { return nil }
            return of(own, other)
        }
        return ratios.isEmpty ? nil : median(ratios)
    }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}
