import KenhProtocol
import KenhStore

/// What a run of the lane did.
public struct LaneReport: Sendable, Equatable {
    public var sent = 0
    public var fetched = 0
    /// Why attachments did not arrive, one sentence each.
    public var failures: [String] = []
    /// Whether the run ended early, since the centre was not reached.
    public var isCutOff = false

    public init() {}
}

extension AttachmentLane {
    public struct Options: Sendable {
        /// The largest piece; each failure halves it, since on a bad line a small one arrives sooner.
        public var pieceBytes = BlobRules.pieceBytes
        public var limitBytes = BlobRules.defaultLimitBytes
        public var backoff = Backoff(baseMilliseconds: 30_000, capMilliseconds: 6 * 3_600_000)
        /// What a person has to see to is tried again this much later, in case somebody has.
        public var personMilliseconds: Int64 = 24 * 3_600_000
        /// The centre is asked this much later whether it still has what it was given.
        public var recheckMilliseconds: Int64 = 7 * 24 * 3_600_000

        public init() {}
    }

    public enum Event: Sendable {
        /// - Parameter epoch: of the centre's log as it was last followed.
        case started([Transfer], epoch: [UInt8])
        /// - Parameter local: bytes that are here of a download.
        case status(WireBlobStatus?, local: UInt64)
        /// Whether the file of an upload is here and whole.
        case checked(Bool)
        case sent(WireBlobStatus)
        /// Bytes that are here now of a download.
        case fetched(UInt64)
        /// Whether a download had the bytes that its name says; it is removed else.
        case finished(Bool)
        case failed(TransferFailure)
    }

    public enum Effect: Sendable, Equatable {
        case askStatus(Transfer)
        case check(Transfer)
        case send(Transfer, offset: UInt64, limitBytes: Int)
        case fetch(Transfer, offset: UInt64, limitBytes: Int)
        case finish(Transfer)
        /// Has no event.
        case save(Transfer)
        case done(LaneReport)
    }
}
