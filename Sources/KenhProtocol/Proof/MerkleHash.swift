import KenhMerge

/// The two hashes of RFC 6962 §2.1. Their first bytes keep a leaf from being shown as a node.
public enum MerkleHash {
    /// The root of no leaves: SHA-256 of nothing.
    public static let empty = [UInt8]().withUnsafeBytes(Hashing.plainSHA256)

    public static func leaf(_ data: [UInt8]) -> Hash256 { ([0] + data).withUnsafeBytes(Hashing.plainSHA256) }

    public static func node(_ left: Hash256, _ right: Hash256) -> Hash256 {
        ([1] + left.bytes + right.bytes).withUnsafeBytes(Hashing.plainSHA256)
    }
}
