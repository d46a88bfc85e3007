import ArgumentParser
import Foundation
import KenhMerge
import KenhProtocol
import KenhSettings
import KenhStore

extension Attachment {
    struct Get: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write an attachment into a file, fetched from the centre where it is not here.",
            discussion: """
                EXAMPLES
                  kenh attachment get 0198c2f3 --home ~/kenh                  into this folder, under its name
                  kenh attachment get 0198c2f3 --out /tmp/report.pdf --force --home ~/kenh

                What came of it stays, so that a line that is cut costs no more than one piece. The bytes are compared with the
                SHA-256 of the row. A file that is there is not overwritten without --force.
                """)

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: ArgumentHelp("Id of the attachment, or its SHA-256.", valueName: "id|sha256"))
        var attachment: String
        @Option(help: ArgumentHelp("Where to, a file or a folder.", valueName: "file"))
        var out: String?
        @Flag(help: "Overwrite the file.")
        var force = false

        private struct Result: Encodable {
            let id: String
            let file: String
            let size: UInt64
            let sha256: String
        }

        func run() async throws {
            let home = try home.resolve()
            let store = try home.openStore()
            let rows = try AttachmentRow.named(attachment, in: store)
            let target = try target(rows[0])
            let isCentre = try home.role(store) == .centre
            let files = isCentre ? home.blobs : home.attachments
            let (row, hash) = try isCentre ? here(rows, files) : fetched(rows, files, home, store)
            let size = try write(hash, from: files, to: target)
            try output.print(Result(id: row.id, file: target, size: size, sha256: hash.bytes.hex)) {
                "Wrote \(target), \(size) bytes."
            }
        }

        private func target(_ row: AttachmentRow) throws -> String {
            var isFolder: ObjCBool = false
            var path = out ?? row.fileName
            if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
                path += "/\(row.fileName)"
            }
            guard force || !FileManager.default.fileExists(atPath: path) else {
                throw Failure(.badData, "there is a file \(path) already; choose another with --out, or give --force")
            }
            return path
        }

        /// The first that is here and whole.
        private func here(_ rows: [AttachmentRow], _ files: BlobFolder) throws -> (AttachmentRow, Hash256) {
            for row in rows {
                guard let hash = row.hash else { throw row.damaged }
                switch try files.isGood(hash) {
                case true?: return (row, hash)
                case false?: try files.setAside(hash)
                case nil: break
                }
            }
            throw Failure(
                .noInput,
                "the centre does not have the attachment \(rows[0].id); it comes with the sync of a cell that has it")
        }

        private func fetched(
            _ rows: [AttachmentRow], _ files: BlobFolder, _ home: Home, _ store: Store
        ) throws -> (AttachmentRow, Hash256) {
            if let found = try? here(rows, files) { return found }
            let settings = try Settings(home: home)
            let cell = try CellHome(home, store: store, settings: settings)
            let attachments = try CellAttachments(home, cell: cell, settings: settings)
            var failure: (any Error)?
            // The same file may have been given in several channels.
            for row in rows {
                do {
                    try attachments.fetch(row, showsProgress: StandardError.isTerminal && !output.json)
                    return try here([row], files)
                } catch { failure = failure ?? error }
            }
            throw failure ?? rows[0].damaged
        }

        /// There whole or not at all, and checked again as it is copied.
        private func write(_ hash: Hash256, from files: BlobFolder, to target: String) throws -> UInt64 {
            let draft = force ? "\(target).\(UUID().uuidString.prefix(8))" : target
            let size = try WholeFile.write(to: draft) { file in
                var running = RunningHash()
                var offset: UInt64 = 0
                while true {
                    let bytes = try files.read(hash, from: offset, limit: BlobRules.pieceBytes)
                    guard !bytes.isEmpty else { break }
                    bytes.withUnsafeBytes { running.update($0) }
                    try file.write(contentsOf: bytes)
                    offset += UInt64(bytes.count)
                }
                guard running.finish() == hash else {
                    throw Failure(.disk, "the attachment changed while it was copied; check the disk, then try again")
                }
                return offset
            }
            guard force else { return size }
            guard rename(draft, target) == 0 else {
                let reason = String(cString: strerror(errno))
                try? FileManager.default.removeItem(atPath: draft)
                throw Failure(.disk, "\(target) cannot be written (\(reason)); choose another with --out")
            }
            return size
        }
    }
}
