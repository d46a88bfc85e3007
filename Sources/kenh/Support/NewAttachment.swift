import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

/// A file that is to be attached, looked at before anything is written.
struct NewAttachment {
    let path: String
    let name: String
    let type: String
    let size: UInt64

    private static let nameBytes = 200
    private static let chunkBytes = 1 << 18

    /// - Throws: a sentence for what is no file, empty, unreadable, too large, or of a type that is not taken.
    init(_ path: String, name given: String?, rules: BlobRules) throws {
        self.path = path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw Failure(.noInput, "there is no file \(path); check its name")
        }
        let attributes = try? FileManager.default.attributesOfItem(
            atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
        guard !isFolder.boolValue, attributes?[.type] as? FileAttributeType == .typeRegular else {
            throw Failure(.badData, "\(path) is a folder or no ordinary file; attach files one by one")
        }
        size = (attributes?[.size] as? NSNumber)?.uint64Value ?? 0
        guard size > 0 else { throw Failure(.badData, "\(path) is empty; attach a file with content") }
        let own = given ?? URL(fileURLWithPath: path).lastPathComponent
        name = own.precomposedStringWithCanonicalMapping
        guard (1...Self.nameBytes).contains(name.utf8.count), !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f })
        else { throw Failure(.badData, "the name “\(name.prefix(60))” is too long or no name; give one with --name") }
        let file = try Self.open(path)
        defer { try? file.close() }
        let head = try Self.read(file, from: 0)
        let start = size > UInt64(FileType.sampleBytes) ? size - UInt64(FileType.sampleBytes) : 0
        type = try Self.type(name, path, head, try Self.read(file, from: start))
        do { try rules.check(size: size, type: type) } catch { throw Failure(.badData, "\(path): \(error.message)") }
    }

    private static func open(_ path: String) throws -> FileHandle {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw Failure(.noInput, "\(path) cannot be read; check its permissions")
        }
        return file
    }

    private static func read(_ file: FileHandle, from offset: UInt64) throws -> [UInt8] {
        try file.seek(toOffset: offset)
        return Array(try file.read(upToCount: FileType.sampleBytes) ?? Data())
    }

    private static func type(_ name: String, _ path: String, _ head: [UInt8], _ tail: [UInt8]) throws -> String {
        do { return try FileType.of(name: name, head: head, tail: tail) } catch {
            switch error {
            case .unknown(let ending):
                throw Failure(
                    .badData,
                    "files ending in “.\(ending)” are not attached; make it a PDF or a picture, or name it with --name")
            case .otherContent(let ending):
                throw Failure(
                    .badData,
                    "\(path) is no .\(ending) by its content; save it as what its name says, or name it with --name")
            }
        }
    }

    /// Copies the file under a name of its own, durably.
    func copy(into files: some BlobFiles, part: String) throws -> Hash256 {
        let file = try Self.open(path)
        defer { try? file.close() }
        var hash = RunningHash()
        var offset: UInt64 = 0
        while let data = try file.read(upToCount: Self.chunkBytes), !data.isEmpty {
            data.withUnsafeBytes { hash.update($0) }
            try files.write(Array(data), toPart: part, at: offset, isDurable: false)
            offset += UInt64(data.count)
        }
        guard offset == size else {
            try files.removePart(part)
            throw Failure(.tryAgain, "\(path) changed while it was read; try again")
        }
        return hash.finish()
    }

    /// Hands the file to the centre's shelf, as any device would.
    func give(to blobs: HubBlobs, channel: String, from device: RegisteredDevice) throws -> Hash256 {
        let hash = try hashOfFile()
        let file = try Self.open(path)
        defer { try? file.close() }
        var query = BlobQuery(channel: channel, size: size, type: type)
        query.offset = (try? blobs.status(hash, query, for: device))?.have ?? 0
        while query.offset < size {
            try file.seek(toOffset: query.offset)
            guard let data = try file.read(upToCount: BlobRules.pieceBytes), !data.isEmpty else { break }
            query.offset = try blobs.put(hash, query, piece: Array(data), from: device).have
        }
        return hash
    }

    private func hashOfFile() throws -> Hash256 {
        let file = try Self.open(path)
        defer { try? file.close() }
        var hash = RunningHash()
        while let data = try file.read(upToCount: Self.chunkBytes), !data.isEmpty {
            data.withUnsafeBytes { hash.update($0) }
        }
        return hash.finish()
    }

    /// Adds the row.
    ///
    /// - Returns: its id.
    func insert(_ hash: Hash256, of subject: RowName, channel: String, in transaction: StoreTransaction) throws
        -> String
    {
        let sha = hash.bytes.hex
        try transaction.insert(
            "attachment",
            [
                ("channel", .text(channel)), ("subject_table", .text(subject.table)), ("subject_id", .text(subject.id)),
                ("name", .text(name)), ("type", .text(type)), ("size", .integer(Int64(clamping: size))),
                ("sha256", .text(sha)), ("added_at", .text(Instant.text(Store.wallClock()))),
            ])
        let row = try transaction.rows(
            "SELECT id FROM attachment WHERE sha256 = ? ORDER BY id DESC LIMIT 1", [.text(sha)])
        return row.first?["id"].string ?? ""
    }
}
