/// What can go wrong in a simulation. Each is counted where it strikes, so that a run can show that all of them did.
public enum FaultKind: String, CaseIterable, Sendable {
    // The line between a cell and its centre.
    case requestLost, requestCut, requestFlipped, requestTwice, oldRequest, blockSpoiled
    case responseLost, responseCut, responseFlipped, oldResponse, entrySpoiled, delay

    // Processes and disks.
    case cellCrash, centreCrash, cellKill, centreKill, cellDiskFull, centreDiskFull
    case logRefused, logRolledBack, logUnknown

    // Clocks.
    case clockYearsAhead, clockYearsBack, clockOff, clockDrift

    // Backups that are put back.
    case cellRestored, centreRestored

    // People and versions.
    case rollback, mixedSchemas, manyBlocks
}

/// How often each fault struck.
public struct FaultTally: Sendable, Equatable {
    public private(set) var counts: [FaultKind: Int] = [:]

    public init() {}

    public subscript(kind: FaultKind) -> Int { counts[kind] ?? 0 }

    public mutating func add(_ kind: FaultKind) { counts[kind, default: 0] += 1 }

    public mutating func add(_ other: FaultTally) { counts.merge(other.counts, uniquingKeysWith: +) }

    /// Those that never struck.
    public var missing: [FaultKind] { FaultKind.allCases.filter { self[$0] == 0 } }
}

extension FaultTally: CustomStringConvertible {
    public var description: String {
        FaultKind.allCases.map { "\($0.rawValue) \(self[$0])" }.joined(separator: ", ")
    }
}
