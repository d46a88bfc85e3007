import KenhMerge
import KenhProtocol
import KenhStore

/// A machine with a disk, a clock and a store, which can die at any I/O and come up again.
public final class SimulatedNode {
    /// 0 is the centre.
    public let number: Int
    public let disk: RAMDisk
    /// Where deep checks make their copies.
    private let scratch: RAMDisk
    /// Where attachments lie, beside the disk.
    let blobs: RAMBlobFiles
    public let clock: SkewedClock
    public let random: RandomSource
    public let identity: StoreIdentity
    public private(set) var schema: Schema
    let limits: WorkLimits
    private var opened: Store?
    private var plain: PlainFile?
    /// Values that lost a conflict and that people see beside the tables; nil where they may have changed.
    var losers: [LedgerPlace: Set<Value>]?
    /// The last pending change before a transaction of which nobody was told that it was done, where none was done since.
    var surePending: Int64?
    /// The last pending change of the newest transaction that failed and may be there again after the next end: its frames
    /// lie whole in a write-ahead log whose index knows better, as long as somebody has it open.
    var failedPending: Int64?
    /// What had struck the disk when it was last looked at.
    var struck = RAMDisk.Tally()

    init(
        number: Int, world: ManualClock, seed: UInt64, identity: StoreIdentity, schema: Schema, limits: WorkLimits,
        disk: RAMDisk? = nil, scratch: RAMDisk
    ) {
        self.number = number
        self.disk = disk ?? RAMDisk(seed: seed)
        self.scratch = scratch
        self.identity = identity
        self.schema = schema
        var limits = limits
        limits.rebuildPath = scratch.path("rebuilt.db")
        self.limits = limits
        clock = SkewedClock(world: world)
        blobs = RAMBlobFiles { [clock] in clock.milliseconds }
        random = RandomSource(seed: seed)
    }

    /// The store, opened where it is not open.
    func store() throws -> Store {
        if let opened { return opened }
        let store = try Store(
            path: disk.path("kenh.db"), schema: schema, limits: limits, clock: { [clock] in clock.milliseconds },
            random: { [random] in random.make() })
        opened = store
        return store
    }

    /// The other program's connection, opened where it is not open.
    func plainFile() throws -> PlainFile {
        if let plain { return plain }
        let file = try PlainFile(disk.path("kenh.db"), durability: limits.durability)
        plain = file
        return file
    }

    /// Drops what is open without a word, as when the processes end.
    func close() {
        opened = nil
        plain = nil
        losers = nil
    }

    func upgrade(to schema: Schema) {
        close()
        self.schema = schema
    }

    func verify(deep: Bool) throws -> VerifyReport {
        scratch.erase()
        return try store().verify(deep: deep)
    }

    /// A second machine with a copy of the disk as it lies at this moment, and with the same identity.
    func clone(number: Int, world: ManualClock, seed: UInt64) -> SimulatedNode {
        let clone = SimulatedNode(
            number: number, world: world, seed: seed, identity: identity, schema: schema, limits: limits,
            disk: disk.copy(seed: seed), scratch: scratch)
        clone.blobs.replace(with: blobs)
        return clone
    }

    /// Puts a copy in the place of the disk's files.
    func putBack(_ copy: RAMDisk) {
        close()
        disk.replace(with: copy)
    }

    /// Brings a machine up that was killed or cut, with what its disk has left.
    /// - Returns: whether it was down.
    @discardableResult
    func rise() -> Bool {
        guard disk.isDown else { return false }
        close()
        disk.start()
        return true
    }
}
