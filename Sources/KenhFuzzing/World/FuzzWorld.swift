import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

/// An organisation that is the same in every run: keys, devices and a schema.
enum FuzzWorld {
    static let now: Int64 = 1_760_000_000_000

    static let root = key(1)
    static let serving = key(2)
    /// The cells' own, and one that nobody has registered.
    static let devices = [key(3), key(4), key(5)]
    static let replicas = (1...3).map { ReplicaID(high: UInt64($0), low: 7) }
    static let organisation = root.publicKey.organisationFingerprint

    static func identity(_ number: Int) -> StoreIdentity {
        StoreIdentity(organisation: organisation, replica: replicas[number], key: devices[number])
    }

    static func hubIdentity() throws -> HubIdentity {
        let certificate = ServingCertificate(
            organisation: organisation, servingKey: serving.publicKey, notBeforeMilliseconds: 0,
            notAfterMilliseconds: .max, name: "Fuzz")
        return HubIdentity(
            rootKey: root.publicKey, certificate: try certificate.signed(by: root), servingKey: serving)
    }

    static let schema: Schema = {
        let note = Table(
            "note", channel: .constant("org"),
            columns: [.text("title"), .real("size", .silent), .blob("data"), .text("secret", erasable: true)])
        let task = Table(
            "task", channel: .column("channel"), columns: [.text("title"), .integer("points", default: 3)])
        let photo = Table("photo", id: .blob, channel: .constant("org"), columns: [.blob("data")])
        do { return try Schema([Migration(1, [.table(note), .table(task), .table(photo)])]) } catch {
            preconditionFailure("\(error)")
        }
    }()

    static func openStore(_ path: String, _ schema: Schema = schema, mustExist: Bool = false) throws -> Store {
        try Store(
            path: path, schema: schema, mustExist: mustExist, clock: { now }, random: { CountingGenerator() })
    }

    private static func key(_ number: UInt8) -> SigningKey {
        do { return try SigningKey(bytes: [UInt8](repeating: number, count: SigningKey.byteCount)) } catch {
            preconditionFailure("\(error)")
        }
    }
}
