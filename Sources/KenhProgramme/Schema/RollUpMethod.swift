/// How the figures of several units become one; the raw value is what `target.method` holds.
public enum RollUpMethod: String, Sendable, CaseIterable {
    case sum, weightedAverage, latest, milestone, minimum
    /// Σ numerators / Σ denominators, never a mean of percentages.
    case ratio
}
