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
        ratioToPlain = Self.ratio(step, runs) { $0.value / $1.value }
        cpuRatioToPlain = Self.ratio(step, runs) { $1.cpuSeconds / Swift.max($0.cpuSeconds, 1e-6) }
    }

    private static func ratio(_ step: Step, _ runs: [[Sample]], _ of: (Sample, Sample) -> Double) -> Double? {
        let ratios: [Double] = runs.compactMap { run in
            guard let own = run.first(where: { $0.step == step }),
                let plain = run.first(where: { $0.step == step.plain })
            else { return nil }
            return of(own, plain)
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
