/// What can go wrong in a simulation. Each is counted where it strikes, so that a run can show that all of them did.
public enum FaultKind: String, CaseIterable, Sendable {
    // The line between a cell and its centre.
    case requestLost, requestCut, requestFlipped, requestTwice, oldRequest, overtaken, blockSpoiled
    case responseLost, responseCut, responseFlipped, oldResponse, lateResponse, entrySpoiled
    case delay, partition, halfOpen

    // Processes and machines.
    case cellCrash, centreCrash, cellKill, centreKill, cellPowerCut, centrePowerCut

    // Disks.
    case sectorDropped, sectorTorn, cellFailedIO, centreFailedIO, cellDiskFull, centreDiskFull
    case logRefused, logRolledBack, logUnknown

    // Clocks.
    case clockYearsAhead, clockYearsBack, clockOff, clockDrift

    // Backups that are put back, and copies that go on beside the original.
    case cellRestored, centreRestored, cloned

    // People and versions.
    case rollback, mixedSchemas, bulkImport

    // Rights that are taken away, and what comes of it.
    case rightTaken, struck, leftChannel

    // Values that the centre takes out of the history.
    case erased

    // Deletions that become final, and edits of whoever had not seen them.
    case finished, editedTooLate

    // Blocks that move into archives.
    case archived

    // Devices that may not go on, and what they bring all the same.
    case deviceRevoked, quarantined

    // Attachments.
    case pieceLost, blobFailedIO
}
