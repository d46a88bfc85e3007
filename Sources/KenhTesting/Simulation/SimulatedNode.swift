import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// A machine with a folder, a clock and a store, which can die at any point and come up again.
public final class SimulatedNode {
    /// 0 is the centre.
    public let number: Int
    public let folder: URL
    public let clock: SkewedClock
    public let random: RandomSource
    public let identity: StoreIdentity
    public private(set) var schema: Schema
    private let limits: WorkLimits
    private var opened: Store?

    var storePath: String { folder.appending(path: "kenh.db").path }

    init(
        number: Int, folder: URL, world: ManualClock, seed: UInt64, identity: StoreIdentity, schema: Schema,
        limits: WorkLimits
    ) throws {
        self.number = number
        self.folder = folder
        self.identity = identity
        self.schema = schema
        self.limits = limits
        clock = SkewedClock(world: world)
        random = RandomSource(seed: seed)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    /// The store, opened where it is not open.
    func store() throws -> Store {
        if let opened { return opened }
        let store = try Store(
            path: storePath, schema: schema, limits: limits, clock: { [clock] in clock.milliseconds },
            random: { [random] in random.make() })
        opened = store
        return store
    }

    /// Drops the store without a word, as when its process ends.
    func close() { opened = nil }

    func upgrade(to schema: Schema) {
        close()
        self.schema = schema
    }

    // MARK: files

    /// Copies the folder as it lies on the disk at this moment, in the middle of a transaction, too.
    func copy(to target: URL) throws { try Self.replace(target, with: folder) }

    /// Puts a copy in the place of the folder.
    func putBack(_ copy: URL) throws {
        close()
        try Self.replace(folder, with: copy)
    }

    private static func replace(_ target: URL, with source: URL) throws {
        try? FileManager.default.removeItem(at: target)
        try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
        for name in try FileManager.default.contentsOfDirectory(atPath: source.path) where !name.hasSuffix("-shm") {
            try FileManager.default.copyItem(at: source.appending(path: name), to: target.appending(path: name))
        }
    }

    // MARK: death

    private var lastImage: URL { folder.deletingLastPathComponent().appending(path: "image-\(number)") }

    /// Lets the machine die when its clock is read for the `reads`-th time: what its disk held then is all that stays.
    func die(afterReads reads: Int) {
        let (source, target) = (folder, lastImage)
        clock.ring(afterReads: reads) { try? Self.replace(target, with: source) }
    }

    var isDead: Bool { clock.hasRung }

    /// Brings a dead machine up with the disk that it died with.
    /// - Returns: whether it was dead.
    @discardableResult
    func rise() throws -> Bool {
        defer { clock.disarm() }
        guard isDead else { return false }
        try putBack(lastImage)
        return true
    }

    // MARK: disk

    /// Leaves room for so many more pages in the store's file.
    func limitDisk(pages: Int) throws {
        let store = try store()
        guard case .integer(let count)? = try store.rows("PRAGMA page_count").first.map({ $0["page_count"] }) else {
            return
        }
        _ = try store.rows("PRAGMA max_page_count = \(count + Int64(pages))")
    }

    func unlimitDisk() throws { _ = try store().rows("PRAGMA max_page_count = 1073741823") }
}
