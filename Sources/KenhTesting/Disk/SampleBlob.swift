import KenhMerge
import KenhProtocol

/// Content of an attachment, made up from a seed.
public struct SampleBlob: Sendable {
    public let bytes: [UInt8]

    public init(_ count: Int, seed: UInt64 = 1) {
        var random = SeededGenerator(seed: seed)
        bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    public init(bytes: [UInt8]) { self.bytes = bytes }

    public var hash: Hash256 { bytes.withUnsafeBytes { Hashing.plainSHA256($0) } }
    public var size: UInt64 { UInt64(bytes.count) }

    /// Up to `count` bytes from an offset on.
    public func piece(_ offset: UInt64, _ count: Int = .max) -> [UInt8] {
        Array(bytes.dropFirst(Int(clamping: offset)).prefix(count))
    }
}
