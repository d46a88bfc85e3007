import KenhMerge
import KenhProtocol
import KenhStore
import Synchronization

/// Who the centre is.
public struct HubIdentity: Sendable {
    public let rootKey: PublicKey
    public let certificate: WireSignedStatement
    public let servingKey: SigningKey

    public var organisation: Hash256 { rootKey.organisationFingerprint }

    /// In hex, as the header field `kenh-organisation` carries it.
    public var organisationText: String { organisation.bytes.hex }

    public init(rootKey: PublicKey, certificate: WireSignedStatement, servingKey: SigningKey) {
        self.rootKey = rootKey
        self.certificate = certificate
        self.servingKey = servingKey
    }
}

/// The centre without its network: requests in, answers out, everything acknowledged is durable.
///
/// A call does its work synchronously and can be made from any thread; the log runs one transaction at a time.
public final class Hub: Sendable {
    let log: any HubLog
    public let identity: HubIdentity
    let clock: @Sendable () -> Int64
    let makeRandom: @Sendable () -> any RandomNumberGenerator
    /// What the centre's own view has merged, by channel.
    private let merged = Mutex<[String: MergedChannel]>([:])

    let newestNote = Mutex<(checkpoint: Checkpoint, text: String)?>(nil)

    struct MergedChannel {
        let sequence: UInt64
        let digest: Digest128
    }

    public init(
        log: any HubLog, identity: HubIdentity, clock: @escaping @Sendable () -> Int64,
        random: @escaping @Sendable () -> any RandomNumberGenerator = { SystemRandomNumberGenerator() }
    ) {
        self.log = log
        self.identity = identity
        self.clock = clock
        makeRandom = random
    }

    public func now() -> Int64 { clock() }

    /// The log's own failures in the hub's words, for those who know nothing of stores.
    public static func translatingErrors<T>(_ body: () throws -> T) throws -> T {
        do { return try body() } catch let error as StoreError {
            throw HubError(
                error.code == .diskFull ? .diskFull : .unavailable,
                "the centre cannot write at the moment; try again later", recovery: .retry)
        }
    }

    func setMerged(_ channels: [String: MergedChannel]) { merged.withLock { $0 = channels } }

    func mergedDigest(_ channel: String, at sequence: UInt64) -> Digest128? {
        merged.withLock { channels in
            channels[channel].flatMap { $0.sequence == sequence ? $0.digest : nil }
        }
    }
}
