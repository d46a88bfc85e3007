import KenhMerge
import KenhProtocol
import KenhStore
import Synchronization

/// Who the centre is.
public struct HubIdentity: Sendable {
    public let rootKey: PublicKey
    public let certificate: WireSignedStatement
    public let servingKey: SigningKey
    /// Of the keys that this one replaced, newest first.
    public let earlierCertificates: [WireSignedStatement]
    /// All that count as the centre's.
    public let keys: ServingKeys

    public var organisation: Hash256 { rootKey.organisationFingerprint }

    /// In hex, as the header field `kenh-organisation` carries it.
    public var organisationText: String { organisation.bytes.hex }

    /// - Parameter certificate: its signature is not looked at.
    public init(rootKey: PublicKey, certificate: WireSignedStatement, servingKey: SigningKey) {
        self.rootKey = rootKey
        self.certificate = certificate
        self.servingKey = servingKey
        earlierCertificates = []
        keys = ServingKeys(servingKey.publicKey)
    }

    /// - Returns: nil where the key is not that of the newest certificate.
    public init?(_ certificates: ServingCertificates, servingKey: SigningKey) {
        guard certificates.newest.servingKey == servingKey.publicKey else { return nil }
        rootKey = certificates.root
        certificate = certificates.signed[0]
        self.servingKey = servingKey
        earlierCertificates = Array(certificates.signed.dropFirst())
        keys = certificates.keys
    }
}

/// The centre without its network: requests in, answers out, everything acknowledged is durable.
///
/// A call does its work synchronously and can be made from any thread; the log runs one transaction at a time.
public final class Hub: Sendable {
    let log: any HubLog
    private let currentIdentity: Mutex<HubIdentity>
    private let readIdentity: (@Sendable () throws -> HubIdentity)?
    let clock: @Sendable () -> Int64
    let makeRandom: @Sendable () -> any RandomNumberGenerator
    /// What the centre's own view has merged, by channel.
    private let merged = Mutex<[String: MergedChannel]>([:])

    let newestNote = Mutex<(checkpoint: Checkpoint, text: String)?>(nil)

    /// Nil of a centre that keeps no snapshots.
    let snapshotShelf = Mutex<SnapshotShelf?>(nil)

    struct MergedChannel {
        let sequence: UInt64
        let digest: Digest128
    }

    /// - Parameter readIdentity: asked again where the log says that another process gave the centre a new key.
    public init(
        log: any HubLog, identity: HubIdentity, clock: @escaping @Sendable () -> Int64,
        random: @escaping @Sendable () -> any RandomNumberGenerator = { SystemRandomNumberGenerator() },
        readIdentity: (@Sendable () throws -> HubIdentity)? = nil
    ) {
        self.log = log
        currentIdentity = Mutex(identity)
        self.readIdentity = readIdentity
        self.clock = clock
        makeRandom = random
    }

    public func now() -> Int64 { clock() }

    public var identity: HubIdentity { currentIdentity.withLock { $0 } }

    /// Takes up the key that another process gave the centre meanwhile. Asked before each request is answered.
    public func refreshIdentity() throws {
        guard let readIdentity, try !log.read(isOwnKey) else { return }
        let read = try readIdentity()
        currentIdentity.withLock { $0 = read }
        guard try log.read(isOwnKey) else {
            throw HubError(
                .keyReplaced,
                "the log was signed with a newer key than this centre has: its administrator has to restore "
                    + "keys/serving.key and kenh.db of the same day", recovery: .askAPerson)
        }
    }

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
