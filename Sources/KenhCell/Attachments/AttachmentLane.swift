import KenhProtocol
import KenhStore

/// One run over the attachments that are due, as a value: events in, effects out. One piece is under way at a time.
///
/// Each attachment fails for itself and waits for itself. Only where the line is down does the run end, since all others
/// would fail, too.
public struct AttachmentLane: Sendable {
    static let leastPieceBytes = 16 << 10
    private static let stallLimit = 3
    private static let lineLimit = 2
    private static let lineMilliseconds: Int64 = 600_000
    private static let longestWaitMilliseconds: Int64 = 2 * 24 * 3_600_000

    private let options: Options
    public private(set) var report = LaneReport()
    private var queue: [Transfer] = []
    private var current: Transfer?
    private var epoch: [UInt8] = []
    /// Where the last piece began, and how often in a row none was taken.
    private var offset: UInt64 = 0
    private var stalls = 0
    private var lineFailures = 0
    /// Whether the centre has said what it has of the current one.
    private var hasAnswered = false

    public init(options: Options = Options()) { self.options = options }

    /// Whether a transfer is to be tried.
    public static func isDue(
        _ transfer: Transfer, epoch: [UInt8], now: Int64, recheckMilliseconds: Int64 = Options().recheckMilliseconds
    ) -> Bool {
        // A clock that was put back must not silence anything: nothing waits for longer than this on purpose.
        let longest = transfer.isDone ? recheckMilliseconds : longestWaitMilliseconds
        let isTime = transfer.nextAtMilliseconds <= now || transfer.nextAtMilliseconds > now &+ longest
        guard transfer.isDone else { return isTime }
        // A centre that was put back from a copy may lack it.
        return transfer.direction == .up && (isTime || transfer.epoch != epoch)
    }

    /// - Parameter nowMilliseconds: since 1970, by the local clock.
    public mutating func handle(
        _ event: Event, nowMilliseconds now: Int64, using random: inout some RandomNumberGenerator
    ) -> [Effect] {
        if case .started(let transfers, let epoch) = event {
            self.epoch = epoch
            queue = transfers.filter {
                Self.isDue($0, epoch: epoch, now: now, recheckMilliseconds: options.recheckMilliseconds)
            }
            return [next()]
        }
        guard let transfer = current else { return [] }
        switch event {
        case .started: return []
        case .status(let status, let local): return self.status(status, local, transfer, now, &random)
        case .checked(true): return [piece(transfer)]
        case .checked(false):
            let lost = TransferFailure(
                .person, "its file here is lacking or damaged, and the centre does not have it; attach it again")
            return failed(lost, transfer, now, &random)
        case .sent(let status): return sent(status, transfer, now, &random)
        case .fetched(let have): return fetched(have, transfer, now, &random)
        case .finished(true):
            report.fetched += 1
            return succeeded(transfer, now, &random)
        case .finished(false):
            let changed = TransferFailure(.later, "what came had other bytes than its name says; it is fetched anew")
            return failed(changed, transfer, now, &random)
        case .failed(let failure): return failed(failure, transfer, now, &random)
        }
    }

    private mutating func next() -> Effect {
        guard !queue.isEmpty, lineFailures < Self.lineLimit else {
            report.isCutOff = lineFailures >= Self.lineLimit
            current = nil
            return .done(report)
        }
        let transfer = queue.removeFirst()
        (current, offset, stalls, hasAnswered) = (transfer, 0, 0, false)
        return .askStatus(transfer)
    }

    private func piece(_ transfer: Transfer) -> Effect {
        let bytes = max(options.pieceBytes >> min(transfer.tries, 16), min(Self.leastPieceBytes, options.pieceBytes))
        return transfer.direction == .up
            ? .send(transfer, offset: offset, limitBytes: bytes) : .fetch(transfer, offset: offset, limitBytes: bytes)
    }

    // MARK: steps

    private mutating func status(
        _ status: WireBlobStatus?, _ local: UInt64, _ transfer: Transfer, _ now: Int64,
        _ random: inout some RandomNumberGenerator
    ) -> [Effect] {
        (lineFailures, hasAnswered) = (0, true)
        let isWhole = status.map { $0.have == $0.size && $0.size > 0 } ?? false
        guard transfer.direction == .down else {
            if isWhole, status?.size == transfer.size {
                // Only asked after.
                if !transfer.isDone { report.sent += 1 }
                return succeeded(transfer, now, &random)
            }
            var lacking = transfer
            (lacking.isDone, offset) = (false, status?.have ?? 0)
            current = lacking
            return [.check(lacking)]
        }
        guard isWhole, let status else {
            return failed(TransferFailure(.later, "the centre does not have it yet"), transfer, now, &random)
        }
        guard status.size <= options.limitBytes else {
            let large = TransferFailure(
                .person,
                "it has \(status.size) bytes, and at most \(options.limitBytes) are taken here (attachments.limit)")
            return failed(large, transfer, now, &random)
        }
        var known = transfer
        (known.size, known.type, offset) = (status.size, status.type, local)
        current = known
        return [local >= status.size ? .finish(known) : piece(known)]
    }

    private mutating func sent(
        _ status: WireBlobStatus, _ transfer: Transfer, _ now: Int64, _ random: inout some RandomNumberGenerator
    ) -> [Effect] {
        lineFailures = 0
        if status.have == status.size, status.size == transfer.size {
            report.sent += 1
            return succeeded(transfer, now, &random)
        }
        return goOn(from: status.have, transfer, now, &random)
    }

    private mutating func fetched(
        _ have: UInt64, _ transfer: Transfer, _ now: Int64, _ random: inout some RandomNumberGenerator
    ) -> [Effect] {
        lineFailures = 0
        return have >= transfer.size ? [.finish(transfer)] : goOn(from: have, transfer, now, &random)
    }

    private mutating func goOn(
        from have: UInt64, _ transfer: Transfer, _ now: Int64, _ random: inout some RandomNumberGenerator
    ) -> [Effect] {
        stalls = have > offset ? 0 : stalls + 1
        guard stalls < Self.stallLimit, have < transfer.size else {
            return failed(TransferFailure(.later, "it gets no further; it is tried again"), transfer, now, &random)
        }
        offset = have
        return [piece(transfer)]
    }

    // MARK: ends

    private mutating func succeeded(
        _ transfer: Transfer, _ now: Int64, _ random: inout some RandomNumberGenerator
    ) -> [Effect] {
        var done = transfer
        (done.isDone, done.tries, done.error, done.epoch) = (true, 0, "", epoch)
        // Spread, so that not all are asked after at once.
        let half = max(options.recheckMilliseconds / 2, 1)
        done.nextAtMilliseconds = now &+ half &+ Int64.random(in: 0...half, using: &random)
        return [.save(done), next()]
    }

    private mutating func failed(
        _ failure: TransferFailure, _ transfer: Transfer, _ now: Int64, _ random: inout some RandomNumberGenerator
    ) -> [Effect] {
        if failure.kind == .stopped {
            queue = []
            return [next()]
        }
        lineFailures = failure.kind == .line ? lineFailures + 1 : 0
        var late = transfer
        // What was only asked after is where it was, as far as anybody knows.
        late.isDone = transfer.isDone && !hasAnswered
        late.tries = min(transfer.tries, 1 << 20) + 1
        late.error = failure.message
        var wait = options.backoff.delayMilliseconds(
            failures: late.tries, retryAfterSeconds: failure.retryAfterSeconds, using: &random)
        switch failure.kind {
        case .person: wait = max(wait, options.personMilliseconds)
        // The next sync shows whether the line is up again; nobody waits for hours then.
        case .line where failure.retryAfterSeconds == nil: wait = min(wait, Self.lineMilliseconds)
        case .line, .later, .stopped: break
        }
        late.nextAtMilliseconds = now &+ wait
        report.failures.append(failure.message)
        return [.save(late), next()]
    }
}
