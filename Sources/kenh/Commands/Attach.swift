import ArgumentParser
import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhSettings
import KenhStore

struct Attach: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Attach a file to a row; the next sync sends it, after the changes.",
        discussion: """
            EXAMPLES
              kenh attach report.pdf --to work_item:KH6/01 --home ~/kenh
              kenh attach scan.png --to review:CB3/2022-05 --name "Biên bản.png" --home ~/kenh

            The file is copied, so that it can be moved or changed afterwards. PDF, pictures (PNG, JPEG, WebP), texts (txt,
            csv), and documents of LibreOffice and Office are taken, up to 25 MiB (settings attachments.types and
            attachments.limit, at the centre, too). What its name says the content has to be.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: ArgumentHelp("The file.", valueName: "file"))
    var file: String
    @Option(help: ArgumentHelp("The row that it belongs to.", valueName: "table:id"))
    var to: String
    @Option(help: "Its name, if not the file's own.")
    var name: String?

    private struct Result: Encodable {
        let id: String
        let sha256: String
        let name: String
        let type: String
        let size: UInt64
        let channel: String
    }

    func run() async throws {
        let home = try home.resolve()
        let subject = try RowName(to)
        let settings = try Settings(home: home)
        let store = try home.openStore()
        let role = try home.role(store)
        let new = try NewAttachment(file, name: name, rules: try settings.blobRules())
        let (id, hash, channel) =
            try role == .cell
            ? attach(new, to: subject, home, store) : attachAtCentre(new, to: subject, home, store, settings)
        try output.print(
            Result(
                id: id, sha256: hash.bytes.hex, name: new.name, type: new.type, size: new.size, channel: channel)
        ) { "Attached \(new.name) (\(new.type), \(new.size) bytes) to \(subject.table) \(subject.id) as \(id)." }
    }

    /// File, row and upload are there together or not at all.
    private func attach(
        _ new: NewAttachment, to subject: RowName, _ home: Home, _ store: Store
    ) throws -> (String, Hash256, String) {
        _ = try store.write { try subject.channel(in: $0) }
        let files = home.attachments
        let part = "new-\(UUID().uuidString)"
        do {
            let hash = try new.copy(into: files, part: part)
            return try store.write { transaction in
                let channel = try subject.channel(in: transaction)
                guard try files.finish(part, as: hash) else {
                    throw Failure(.disk, "the copy of \(file) does not read back as it was written; check the disk")
                }
                try transaction.addUpload(of: hash, channel: channel, size: new.size, type: new.type)
                return (try new.insert(hash, of: subject, channel: channel, in: transaction), hash, channel)
            }
        } catch {
            try? files.removePart(part)
            throw error
        }
    }

    private func attachAtCentre(
        _ new: NewAttachment, to subject: RowName, _ home: Home, _ store: Store, _ settings: Settings
    ) throws -> (String, Hash256, String) {
        let (_, hub, view) = try home.openCentre()
        guard let device = try hub.device(try home.identity(store).key.publicKey.bytes) else {
            throw Failure(.configuration, "the centre does not know itself; run kenh sync in its home first")
        }
        let channel = try store.write { try subject.channel(in: $0) }
        let hash = try new.give(
            to: HubBlobs(hub: hub, shelf: try home.shelf(settings)), channel: channel, from: device)
        let id = try store.write { try new.insert(hash, of: subject, channel: channel, in: $0) }
        try view.catchUp()
        return (id, hash, channel)
    }
}
