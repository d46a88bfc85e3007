import ArgumentParser
import Foundation
import KenhMerge
import KenhProtocol
import KenhSettings
import KenhStore

struct Attachment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Attachments: list them, fetch one, try again.",
        discussion: """
            EXAMPLES
              kenh attachment list --home ~/kenh
              kenh attachment list work_item:KH6/01 --home ~/kenh
              kenh attachment get 0198c2f3 --home ~/kenh
              kenh attachment retry --home ~/kenh

            kenh attach attaches a file.
            """,
        subcommands: [List.self, Get.self, Retry.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List attachments and where each is.",
            discussion: """
                EXAMPLES
                  kenh attachment list --home ~/kenh
                  kenh attachment list work_item:KH6/01 --home ~/kenh --json

                Others' attachments come when they are asked for: kenh attachment get.
                """)

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: ArgumentHelp("Only of this row.", valueName: "table:id"))
        var row: String?

        func run() async throws {
            let home = try home.resolve()
            let store = try home.openStore()
            let isCentre = try home.role(store) == .centre
            let wanted = try row.map { try RowName($0) }
            let places = AttachmentPlaces(
                files: isCentre ? home.blobs : home.attachments, isCentre: isCentre, transfers: try store.transfers())
            let lines = try AttachmentRow.all(store).filter { row in
                wanted.map { $0.table == row.subjectTable && $0.id == row.subjectID } ?? true
            }.map { try AttachmentOutput($0, places) }
            try output.print(lines) {
                lines.isEmpty ? "No attachments." : lines.map(\.text).joined(separator: "\n")
            }
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Try all that wait with the next sync, without waiting any longer.",
            discussion: "EXAMPLES\n  kenh attachment retry --home ~/kenh && kenh sync --home ~/kenh")

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let store = try home.resolve().openStore()
            var count = 0
            // What is at the centre is asked after, too: it may have been lost there.
            for var transfer in try store.transfers() where !transfer.isDone || transfer.direction == .up {
                if !transfer.isDone { count += 1 }
                (transfer.tries, transfer.nextAtMilliseconds) = (0, 0)
                try store.update(transfer)
            }
            try output.print(["waiting": count]) { "\(count) attachments are tried with the next sync: kenh sync." }
        }
    }
}

/// Where attachments are, as far as this home knows.
struct AttachmentPlaces {
    let files: BlobFolder
    let isCentre: Bool
    private let transfers: [Transfer.Key: Transfer]

    init(files: BlobFolder, isCentre: Bool, transfers: [Transfer]) {
        self.files = files
        self.isCentre = isCentre
        self.transfers = Dictionary(transfers.map { ($0.key, $0) }) { first, _ in first }
    }

    func transfer(_ hash: Hash256, _ channel: String, _ direction: Transfer.Direction) -> Transfer? {
        transfers[.init(hash: hash, channel: channel, direction: direction)]
    }
}

private struct AttachmentOutput: Encodable {
    let id: String
    let subject: String
    let name: String
    let type: String
    let size: UInt64
    let sha256: String
    let channel: String
    let isHere: Bool
    /// `here`, `atTheCentre`, `waiting`, `failed` or `elsewhere`.
    let state: String
    /// Why it failed last.
    let error: String?

    init(_ row: AttachmentRow, _ places: AttachmentPlaces) throws {
        (id, subject, name, type) = (row.id, "\(row.subjectTable):\(row.subjectID)", row.name, row.type)
        (size, channel, sha256) = (row.size, row.channel, row.hash?.bytes.hex ?? "")
        guard let hash = row.hash else {
            (isHere, state, error) = (false, "failed", row.damaged.message)
            return
        }
        isHere = try places.files.size(of: hash) != nil
        let transfers = [Transfer.Direction.up, .down].compactMap { places.transfer(hash, row.channel, $0) }
        let late = transfers.first { !$0.isDone }
        error = late.flatMap { $0.error.isEmpty ? nil : $0.error }
        if let late {
            state = late.error.isEmpty ? "waiting" : "failed"
        } else if places.isCentre {
            state = isHere ? "here" : "elsewhere"
        } else {
            state = transfers.isEmpty ? (isHere ? "here" : "elsewhere") : "atTheCentre"
        }
    }

    var text: String {
        let place =
            switch state {
            case "waiting": isHere ? "here, waits to be sent" : "waits to be fetched"
            case "failed": "\(isHere ? "here, was not sent" : "was not fetched"): \(error ?? "")"
            case "atTheCentre": isHere ? "here and at the centre" : "at the centre"
            case "here": "here"
            default: "not here"
            }
        return "\(id)  \(subject)  \(name)  \(size) bytes  \(place)"
    }
}
