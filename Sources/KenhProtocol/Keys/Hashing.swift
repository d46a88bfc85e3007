import Crypto
import KenhMerge

/// SHA-256 with a domain tag. Chunks are hashed one after another with nothing between them, so all but one of them
/// must be of a fixed length, or say their length themselves.
public enum Hashing {
    public static func sha256(domain: HashDomain, _ chunks: [UInt8]...) -> Hash256 {
        var hash = tagged(domain)
        for chunk in chunks { chunk.withUnsafeBytes { hash.update(bufferPointer: $0) } }
        return Hash256(hash.finalize())
    }

    /// The same over memory that the caller holds, without a copy.
    public static func sha256(domain: HashDomain, _ chunks: UnsafeRawBufferPointer...) -> Hash256 {
        var hash = tagged(domain)
        for chunk in chunks { hash.update(bufferPointer: chunk) }
        return Hash256(hash.finalize())
    }

    /// Without a tag, where a standard of others says so (`Content-Digest`).
    public static func plainSHA256(_ content: UnsafeRawBufferPointer) -> Hash256 {
        var hash = SHA256()
        hash.update(bufferPointer: content)
        return Hash256(hash.finalize())
    }

    private static func tagged(_ domain: HashDomain) -> SHA256 {
        var hash = SHA256()
        var tag = domain.rawValue
        tag.withUTF8 { hash.update(bufferPointer: UnsafeRawBufferPointer($0)) }
        withUnsafeBytes(of: UInt8(0)) { hash.update(bufferPointer: $0) }
        return hash
    }
}

/// Plain SHA-256 of what comes in pieces, such as a file's content.
public struct RunningHash {
    private var hash = SHA256()

    public init() {}

    public mutating func update(_ bytes: UnsafeRawBufferPointer) { hash.update(bufferPointer: bytes) }

    public func finish() -> Hash256 { Hash256(hash.finalize()) }
}

extension Hash256 {
    fileprivate init(_ digest: SHA256.Digest) {
        self = digest.withUnsafeBytes { bytes in
            let words = (0..<4).map { UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self)) }
            return Hash256(words[0], words[1], words[2], words[3])
        }
    }
}
