import KenhMerge

/// Where the bytes of attachments lie: whole ones under their SHA-256, unfinished ones apart under names of the
/// caller's. Calls may come from several threads.
public protocol BlobFiles: Sendable {
    /// Bytes of a whole one; nil where it is not here.
    func size(of hash: Hash256) throws(StoreError) -> UInt64?
    /// Up to `limit` bytes from `offset` on; none at the end or beyond.
    func read(_ hash: Hash256, from offset: UInt64, limit: Int) throws(StoreError) -> [UInt8]
    /// Whether a whole one still has the bytes that its name says; nil where it is not here.
    func isGood(_ hash: Hash256) throws(StoreError) -> Bool?
    /// Names of all whole ones.
    func all() throws(StoreError) -> [Hash256]
    func remove(_ hash: Hash256) throws(StoreError)
    /// Takes a damaged one out of the way and keeps it for people to look at.
    func setAside(_ hash: Hash256) throws(StoreError)

    /// Bytes of an unfinished one; 0 where there is none.
    func partSize(_ name: String) throws(StoreError) -> UInt64
    /// Drops what is behind `size`.
    func cutPart(_ name: String, to size: UInt64) throws(StoreError)
    /// - Parameter isDurable: whether the bytes have to survive a power cut when this returns.
    func write(_ bytes: [UInt8], toPart name: String, at offset: UInt64, isDurable: Bool) throws(StoreError)
    /// Makes an unfinished one the whole one of this name, durably, if its bytes are those; else removes it.
    ///
    /// - Returns: whether they were.
    func finish(_ name: String, as hash: Hash256) throws(StoreError) -> Bool
    func removePart(_ name: String) throws(StoreError)
    func parts() throws(StoreError) -> [(name: String, changedAtMilliseconds: Int64)]
}
