import Foundation
import KenhCell
import KenhHub
import KenhProtocol
import KenhSettings
import KenhStore
import Logging

extension Settings {
    func blobRules() throws -> BlobRules {
        BlobRules(limitBytes: try attachmentLimitBytes(), types: try attachmentTypes() ?? BlobRules.usualTypes)
    }
}

extension Home {
    /// A cell's attachments.
    var attachments: BlobFolder { BlobFolder(path: path + "/attachments") }
    /// The centre's.
    var blobs: BlobFolder { BlobFolder(path: path + "/blobs") }

    func shelf(_ settings: Settings) throws -> BlobShelf {
        try makeFolder("blobs")
        return BlobShelf(
            index: try SQLiteBlobIndex(path: blobs.path + "/index.db"), files: blobs, rules: try settings.blobRules(),
            clock: Store.wallClock)
    }
}

extension Home {
    /// Nil where their index cannot be opened: changes have to get through all the same.
    func blobs(of hub: Hub, _ settings: Settings, _ logger: Logger) throws -> HubBlobs? {
        do { return HubBlobs(hub: hub, shelf: try shelf(settings)) } catch let error as StoreError {
            logger.error(
                "no attachments are served: \(blobs.path)/index.db cannot be used; restore it, or remove it and cells give theirs again",
                metadata: ["reason": "\(error)"])
            return nil
        }
    }
}

/// What became of attachments in a sync.
struct AttachmentOutcome: Encodable {
    var sent = 0
    var fetched = 0
    var waiting = 0
    var failures: [String] = []

    /// To be said behind what became of changes.
    var text: String {
        var line = ""
        if sent > 0 { line += "; \(sent) attachments sent" }
        if fetched > 0 { line += "; \(fetched) attachments fetched" }
        if waiting > 0 { line += "; \(waiting) attachments wait" }
        if let failure = failures.first { line += " (\(Failure.oneLine(failure)))" }
        return line
    }
}

/// The attachments of a joined cell, with a way to the centre of their own.
struct CellAttachments: Sendable {
    let files: BlobFolder
    let cancellation = Cancellation()
    private let store: Store
    private let makeLink: @Sendable () throws -> CentreBlobLink
    private let options: AttachmentLane.Options

    /// A piece is on the line for about this long where a rate is set, so that no exchange takes too long.
    private static let secondsPerPiece = 30

    init(_ home: Home, cell: CellHome, settings: Settings) throws {
        files = home.attachments
        store = cell.store
        let rate = try settings.attachmentRate()
        var curl = try settings.curl(baseURL: cell.url)
        curl.rateBytesPerSecond = rate
        let transport = try CurlTransport(curl, cancellation: cancellation)
        // With the keys of now: this device's and the centre's are replaced now and then.
        makeLink = {
            let (key, centre) = try cell.keys()
            return CentreBlobLink(client: try cell.client(key, over: transport), centre: centre)
        }
        var options = AttachmentLane.Options()
        options.limitBytes = try settings.attachmentLimitBytes()
        if rate > 0 { options.pieceBytes = min(max(rate * Self.secondsPerPiece, 16 << 10), BlobRules.pieceBytes) }
        self.options = options
    }

    func sync() throws -> AttachmentSync {
        var sync = AttachmentSync(store: store, files: files, link: try makeLink(), cancellation: cancellation)
        sync.options = options
        sync.wanted = { [store] in
            try AttachmentRow.all(store).compactMap { row in
                row.hash.map {
                    Transfer(hash: $0, channel: row.channel, direction: .up, size: row.size, type: row.type)
                }
            }
        }
        return sync
    }

    /// Moves what is due. Whatever goes wrong is said in the outcome: changes are through by now, and that counts.
    func move(showsProgress: Bool) -> AttachmentOutcome {
        var outcome = AttachmentOutcome()
        do {
            var sync = try sync()
            if showsProgress {
                sync.progress = { transfer, offset in
                    let verb = transfer.direction == .up ? "sending" : "fetching"
                    Progress.show("\(verb) \(transfer.hash), \(offset >> 10) of \(transfer.size >> 10) KiB")
                }
            }
            let report = try sync.run()
            (outcome.sent, outcome.fetched, outcome.failures) = (report.sent, report.fetched, report.failures)
            outcome.waiting = try store.transfers().count { !$0.isDone }
        } catch { outcome.failures.append(Failure(error).message) }
        Progress.clear()
        return outcome
    }

    /// Fetches one, now.
    ///
    /// - Throws: where it did not come; it stays wanted, and the next sync goes on.
    func fetch(_ row: AttachmentRow, showsProgress: Bool) throws {
        guard let hash = row.hash else { throw row.damaged }
        let wanted = Transfer(hash: hash, channel: row.channel, direction: .down, size: row.size, type: row.type)
        try store.add(wanted)
        var sync = try sync()
        if showsProgress {
            sync.progress = { Progress.show("fetching \(row.name), \($1 >> 10) of \($0.size >> 10) KiB") }
        }
        let report = try sync.run { $0.key == wanted.key }
        Progress.clear()
        if let failure = report.failures.first {
            throw Failure(
                report.fetched > 0 ? .failure : .unavailable,
                "\(failure); it is fetched with the next sync, or try again: kenh attachment get \(row.id)")
        }
    }
}
