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

    func setMerged(_ channels: [String: MergedChannel]) { merged.withLock { $0 = channels } }

    func mergedDigest(_ channel: String, at sequence: UInt64) -> Digest128? {
        merged.withLock { channels in
            channels[channel].flatMap { $0.sequence == sequence ? $0.digest : nil }
        }
    }
}
