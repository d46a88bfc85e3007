import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// Performs the lane's effects on a store, a folder and a link, on the calling thread.
public struct AttachmentSync {
    private let store: Store
    private let files: any BlobFiles
    private let link: any BlobLink
    private let cancellation: Cancellation
    private let random: () -> any RandomNumberGenerator
    public var options = AttachmentLane.Options()
    /// What rows of the store are about; a store that was made anew learns from it what it has to offer.
    public var wanted: () throws -> [Transfer] = { [] }
    /// Told before each piece: which, from where.
    public var progress: ((Transfer, UInt64) -> Void)?

    /// - Parameter cancellation: ends the run before its next piece; the next run goes on from there.
    public init(
        store: Store, files: any BlobFiles, link: any BlobLink, cancellation: Cancellation = Cancellation(),
        random: @escaping () -> any RandomNumberGenerator = { SystemRandomNumberGenerator() }
    ) {
        self.store = store
        self.files = files
        self.link = link
        self.cancellation = cancellation
        self.random = random
    }

    /// Moves what is due, each for itself.
    ///
    /// - Parameter only: which; nil for all.
    /// - Throws: `StoreError` where the store itself fails. Why an attachment did not arrive is in the report.
    public func run(only isWanted: ((Transfer) -> Bool)? = nil) throws -> LaneReport {
        if isWanted == nil { try tidy() }
        let transfers = try store.transfers().filter { isWanted?($0) ?? true }
        let epoch = try store.cursors().first { $0.channel == ChannelName.registry }?.epoch ?? []
        var lane = AttachmentLane(options: options)
        var generator = random()
        var effects = lane.handle(
            .started(transfers, epoch: epoch), nowMilliseconds: store.now, using: &generator)
        while !effects.isEmpty {
            let effect = effects.removeFirst()
            if case .done(let report) = effect { return report }
            guard let event = try perform(effect) else { continue }
            effects += lane.handle(event, nowMilliseconds: store.now, using: &generator)
        }
        return lane.report
    }

    /// When the next one is due; nil where nothing is waiting.
    public func nextDue() throws -> Int64? {
        try store.transfers().filter { !$0.isDone }.map(\.nextAtMilliseconds).min()
    }

    func seconds(until milliseconds: Int64) -> Double { Double(milliseconds) / 1000 - Double(store.now) / 1000 }

    private func tidy() throws {
        let rows = try wanted()
        let known = Set(try store.transfers().map(\.hash))
        for row in rows where !known.contains(row.hash) {
            if try files.size(of: row.hash) == row.size { try store.add(row) }
        }
        _ = try store.sweepAttachments(in: files, except: Set(rows.map(\.hash)))
        let oldest = store.now - BlobRules.unfinishedMilliseconds
        for part in try files.parts() where part.changedAtMilliseconds < oldest { try files.removePart(part.name) }
    }

    private func perform(_ effect: AttachmentLane.Effect) throws -> AttachmentLane.Event? {
        if case .save(let transfer) = effect {
            try store.update(transfer)
            return nil
        }
        guard !cancellation.isCancelled else { return .failed(TransferFailure(.stopped, "the program ends")) }
        do { return try move(effect) } catch { return .failed(TransferFailure(error)) }
    }

    private func move(_ effect: AttachmentLane.Effect) throws -> AttachmentLane.Event? {
        switch effect {
        case .askStatus(let transfer):
            let status = try link.status(of: transfer.hash, in: transfer.channel)
            return .status(status, local: transfer.direction == .down ? try files.partSize(part(transfer)) : 0)
        case .check(let transfer): return .checked(try files.isGood(transfer.hash) ?? false)
        case .send(let transfer, let offset, let limit):
            progress?(transfer, offset)
            let piece = try files.read(transfer.hash, from: offset, limit: limit)
            let query = BlobQuery(
                channel: transfer.channel, size: transfer.size, type: transfer.type, offset: offset)
            return .sent(try link.put(piece, of: transfer.hash, query))
        case .fetch(let transfer, let offset, let limit):
            progress?(transfer, offset)
            let query = BlobQuery(channel: transfer.channel, offset: offset, limitBytes: limit)
            let piece = try link.piece(of: transfer.hash, query)
            // Its hash is checked at the end, so that a power cut costs no more than fetching it anew.
            if !piece.isEmpty {
                try files.write(piece, toPart: part(transfer), at: offset, isDurable: false)
            }
            return .fetched(offset + UInt64(piece.count))
        case .finish(let transfer): return .finished(try files.finish(part(transfer), as: transfer.hash))
        case .save, .done: return nil
        }
    }

    private func part(_ transfer: Transfer) -> String { transfer.hash.bytes.hex }
}
