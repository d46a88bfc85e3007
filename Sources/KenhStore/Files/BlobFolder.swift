import Foundation
import KenhMerge
import KenhProtocol

/// Attachments in a folder of a file system.
///
/// | path | what |
/// |---|---|
/// | `ab/abcd…` | a whole one; the folder has the first two digits of its SHA-256 |
/// | `unfinished/NAME` | what has come so far of one |
/// | `damaged/abcd…` | one whose bytes changed on the disk |
public struct BlobFolder: BlobFiles {
    public let path: String

    private static let unfinished = "unfinished"
    private static let damaged = "damaged"

    /// The folder is made when something is first written.
    public init(path: String) { self.path = path }

    /// Where a whole one lies, whether or not it is here.
    public func path(of hash: Hash256) -> String {
        let name = hash.bytes.hex
        return "\(path)/\(name.prefix(2))/\(name)"
    }

    private func path(ofPart name: String) -> String { "\(path)/\(Self.unfinished)/\(name)" }

    // MARK: whole ones

    public func size(of hash: Hash256) throws(StoreError) -> UInt64? { try BlobFile.size(path(of: hash)) }

    public func read(_ hash: Hash256, from offset: UInt64, limit: Int) throws(StoreError) -> [UInt8] {
        try BlobFile(path(of: hash), O_RDONLY).read(from: offset, limit: limit)
    }

    public func isGood(_ hash: Hash256) throws(StoreError) -> Bool? {
        guard try size(of: hash) != nil else { return nil }
        return try BlobFile(path(of: hash), O_RDONLY).hash() == hash
    }

    public func all() throws(StoreError) -> [Hash256] {
        var found: [Hash256] = []
        for folder in try BlobFile.names(in: path) where folder.utf8.count == 2 {
            for name in try BlobFile.names(in: "\(path)/\(folder)") {
                [UInt8](hex: name).flatMap { Hash256(bytes: $0) }.map { found.append($0) }
            }
        }
        return found
    }

    public func remove(_ hash: Hash256) throws(StoreError) { try BlobFile.remove(path(of: hash)) }

    public func setAside(_ hash: Hash256) throws(StoreError) {
        try makeFolder(Self.damaged)
        try BlobFile.move(path(of: hash), to: "\(path)/\(Self.damaged)/\(hash.bytes.hex)")
    }

    // MARK: unfinished ones

    public func partSize(_ name: String) throws(StoreError) -> UInt64 {
        try BlobFile.size(path(ofPart: name)) ?? 0
    }

    public func cutPart(_ name: String, to size: UInt64) throws(StoreError) {
        try BlobFile(path(ofPart: name), O_WRONLY).cut(to: size)
    }

    public func write(
        _ bytes: [UInt8], toPart name: String, at offset: UInt64, isDurable: Bool
    ) throws(StoreError) {
        try makeFolder(Self.unfinished)
        let file = try BlobFile(path(ofPart: name), O_WRONLY | O_CREAT)
        try file.write(bytes, at: offset)
        guard isDurable else { return }
        try file.sync()
        if offset == 0 { try BlobFile.syncFolder("\(path)/\(Self.unfinished)") }
    }

    public func finish(_ name: String, as hash: Hash256) throws(StoreError) -> Bool {
        let part = try BlobFile(path(ofPart: name), O_RDWR)
        guard try part.hash() == hash else {
            try removePart(name)
            return false
        }
        try part.sync()
        let target = path(of: hash)
        try makeFolder(String(hash.bytes.hex.prefix(2)))
        try BlobFile.move(path(ofPart: name), to: target)
        return true
    }

    public func removePart(_ name: String) throws(StoreError) { try BlobFile.remove(path(ofPart: name)) }

    public func parts() throws(StoreError) -> [(name: String, changedAtMilliseconds: Int64)] {
        var found: [(name: String, changedAtMilliseconds: Int64)] = []
        for name in try BlobFile.names(in: "\(path)/\(Self.unfinished)") {
            found.append((name, try BlobFile.changedAtMilliseconds(path(ofPart: name))))
        }
        return found
    }

    /// Whoever looks for what is in a new folder after a power cut has to find the folder, too.
    private func makeFolder(_ name: String) throws(StoreError) {
        for folder in [path, "\(path)/\(name)"] where mkdir(folder, 0o700) == 0 {
            try BlobFile.syncFolder((folder as NSString).deletingLastPathComponent)
        }
    }
}
