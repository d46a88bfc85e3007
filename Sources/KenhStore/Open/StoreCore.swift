import CSQLite
import KenhMerge
import KenhProtocol

/// Under whose name a store seals its changes.
public struct StoreIdentity: Sendable {
    /// Fingerprint of the organisation's root key.
    public let organisation: Hash256
    /// The store's first life. A store that finds itself to be an older copy takes another and remembers it.
    public let replica: ReplicaID
    public let key: SigningKey

    public init(organisation: Hash256, replica: ReplicaID, key: SigningKey) {
        self.organisation = organisation
        self.replica = replica
        self.key = key
    }
}

/// Everything that works on the store's one connection: statements, and what is kept in memory of its tables. Used only
/// inside the connection's queue; what it keeps is read anew whenever another connection has written.
final class StoreCore {
    let sql: StatementCache
    let schema: Schema
    let catalogue = TableCatalogue()
    let index: BranchIndex
    let channels: ChannelBook
    let blocks: BlockTable
    let rows: RowTable
    let struck: StruckTable
    let erasures: ErasureTable
    let finals: FinalityTable
    let meta: Meta
    let codec = BlockCodec()
    let births: BirthNames
    var limits = WorkLimits()
    /// Whether what is there may not be synced: the file was just opened, or a commit failed.
    var isDoubtful = true
    /// Of a channel's base, by its hash.
    var latestChunk: (hash: Hash256, chunk: SnapshotChunk)?
    private var dataVersion: Int64 = -1
    private let database: OpaquePointer
    private let path: String
    private var isCapturing = true

    init(database: OpaquePointer, path: String, schema: Schema) {
        self.database = database
        self.path = path
        sql = StatementCache(database)
        self.schema = schema
        index = BranchIndex(sql)
        channels = ChannelBook(sql)
        blocks = BlockTable(sql: sql)
        births = BirthNames(index: index, blocks: blocks, codec: codec)
        rows = RowTable(sql)
        struck = StruckTable(sql)
        erasures = ErasureTable(sql: sql)
        finals = FinalityTable(sql)
        meta = Meta(sql: sql)
        births.births = { [unowned self] hash in try SnapshotTable(core: self).births(of: hash) }
    }

    /// Switches the triggers, so that what Kenh itself writes is not captured: on before the application writes, off right
    /// before a line of its tables is written here. Left as it is until the other is needed: each switch makes SQLite
    /// prepare all statements anew.
    func capture(_ on: Bool) {
        guard on != isCapturing else { return }
        kenh_enable_triggers(database, on ? 1 : 0)
        isCapturing = on
    }

    /// Before anything is read that others may be told of.
    func settle() throws(StoreError) {
        guard isDoubtful else { return }
        try StoreFile.sync(path)
        isDoubtful = false
    }

    /// Reads what is kept in memory, where the file has changed under us or a transaction was rolled back.
    func refresh() throws(StoreError) {
        rows.forget()
        let read = try sql("PRAGMA data_version")
        let version = try read.step() ? read.int(0) : 0
        read.reset()
        guard version != dataVersion else { return }
        try checkSchema()
        try catalogue.load(sql, schema: schema)
        try index.load()
        try channels.load()
        try struck.load()
        try finals.load()
        dataVersion = version
    }

    /// Another process may have brought the store to a newer schema. Its columns are not known here, and merging
    /// without them would lose what they show.
    private func checkSchema() throws(StoreError) {
        let installed = Int(try meta.integer("schema_version") ?? 0)
        guard installed > schema.version else { return }
        throw StoreError(
            .newerVersion, "another program brought the store to schema \(installed), this one knows \(schema.version)",
            advice: "restart it with the newer Kenh")
    }

    static let replicaKey = "replica"
    /// Facts that belong to one file and not to whom it is of.
    static let ownKeys: Set<String> = [
        replicaKey, "schema_version", "shows_kept_after_seal", cleaningsAskedKey, cleaningsDoneKey,
    ]

    /// Under which replica id the store writes now.
    func replica(of identity: StoreIdentity) throws(StoreError) -> ReplicaID {
        guard case .blob(let bytes) = try meta.value(Self.replicaKey) else { return identity.replica }
        return ReplicaID(bytes: bytes) ?? identity.replica
    }

    static let deviceKeyName = "device_key"

    /// What another process sealed under the key that this one still has would be refused by everybody.
    func check(_ key: PublicKey) throws(StoreError) {
        guard case .blob(let bytes) = try meta.value(Self.deviceKeyName), bytes != key.bytes else { return }
        throw StoreError(
            .keyReplaced, "this device was given a new key meanwhile", advice: "try again", recovery: .retry)
    }

    /// After a rollback nothing in memory can be trusted.
    func forget() { dataVersion = -1 }

    /// As ``notice(_:table:id:at:_:)``, unless the very same has been said before.
    func noticeOnce(_ code: String, at: Int64, _ message: String) throws(StoreError) {
        let read = try sql("SELECT 1 FROM kenh_notice WHERE code = ? AND message = ?")
        read.bind(1, copying: code)
        read.bind(2, copying: message)
        let isKnown = try read.step()
        read.reset()
        if !isKnown { try notice(code, at: at, message) }
    }

    func notice(_ code: String, table: String? = nil, id: Value = .null, at: Int64, _ message: String)
        throws(StoreError)
    {
        let insert = try sql("INSERT INTO kenh_notice(at, code, tbl, id, message) VALUES(?, ?, ?, ?, ?)")
        insert.bind(1, at)
        insert.bind(2, copying: code)
        insert.bind(3, copying: table.map { Value.text($0) } ?? .null)
        insert.bind(4, copying: id)
        insert.bind(5, copying: message)
        try insert.run()
    }
}
