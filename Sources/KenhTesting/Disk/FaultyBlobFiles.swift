import KenhMerge
import KenhStore
import Synchronization

/// Attachments on a disk that is full, or loses what was not synced.
public final class FaultyBlobFiles: BlobFiles {
    private let files: BlobFolder
    private let room = Mutex<Int>(.max)

    public init(_ files: BlobFolder) { self.files = files }

    /// Bytes that can still be written.
    public func setRoom(_ bytes: Int) { room.withLock { $0 = bytes } }

    public func write(
        _ bytes: [UInt8], toPart name: String, at offset: UInt64, isDurable: Bool
    ) throws(StoreError) {
        let fitting = room.withLock { room in
            let fitting = min(bytes.count, max(room, 0))
            room -= fitting
            return fitting
        }
        // A full disk takes what fits and then refuses.
        try files.write(Array(bytes.prefix(fitting)), toPart: name, at: offset, isDurable: isDurable)
        guard fitting == bytes.count else { throw StoreError(.diskFull, "the disk is full", recovery: .retry) }
    }

    public func size(of hash: Hash256) throws(StoreError) -> UInt64? { try files.size(of: hash) }
    public func read(_ hash: Hash256, from offset: UInt64, limit: Int) throws(StoreError) -> [UInt8] {
        try files.read(hash, from: offset, limit: limit)
    }
    public func isGood(_ hash: Hash256) throws(StoreError) -> Bool? { try files.isGood(hash) }
    public func all() throws(StoreError) -> [Hash256] { try files.all() }
    public func remove(_ hash: Hash256) throws(StoreError) { try files.remove(hash) }
    public func setAside(_ hash: Hash256) throws(StoreError) { try files.setAside(hash) }
    public func partSize(_ name: String) throws(StoreError) -> UInt64 { try files.partSize(name) }
    public func cutPart(_ name: String, to size: UInt64) throws(StoreError) { try files.cutPart(name, to: size) }
    public func finish(_ name: String, as hash: Hash256) throws(StoreError) -> Bool {
        try files.finish(name, as: hash)
    }
    public func removePart(_ name: String) throws(StoreError) { try files.removePart(name) }
    public func parts() throws(StoreError) -> [(name: String, changedAtMilliseconds: Int64)] { try files.parts() }
}
