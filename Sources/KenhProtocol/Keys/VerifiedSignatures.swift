import KenhMerge
import Synchronization

/// Signatures that were found good lately, since a block's is checked several times in one process: by the centre at
/// admission and again where its tables follow the log, by a cell that gets an answer twice.
///
/// What is remembered is a hash of key, signature and message, so only the very same is known again. Bad ones are not
/// remembered: nobody can fill it with anything but signatures of keys that they have.
final class VerifiedSignatures: Sendable {
    static let shared = VerifiedSignatures(limit: 4096)

    /// Two generations; the older one is dropped when the younger is full.
    private struct Generations {
        var young: Set<Hash256> = []
        var old: Set<Hash256> = []
    }

    private let limit: Int
    private let generations = Mutex(Generations())

    /// - Parameter limit: of each generation; an entry takes about 50 bytes.
    init(limit: Int) { self.limit = limit }

    /// - Parameters:
    ///   - key: 32 bytes.
    ///   - signature: 64 bytes.
    static func name(key: [UInt8], signature: [UInt8], signed: [UInt8]) -> Hash256 {
        (key + signature + signed).withUnsafeBytes(Hashing.plainSHA256)
    }

    func contains(_ name: Hash256) -> Bool {
        generations.withLock { $0.young.contains(name) || $0.old.contains(name) }
    }

    func insert(_ name: Hash256) {
        generations.withLock { generations in
            if generations.young.count >= limit {
                generations.old = generations.young
                generations.young = []
            }
            generations.young.insert(name)
        }
    }
}
