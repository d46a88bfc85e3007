import CFaultFS
import Synchronization

/// A disk in memory that SQLite opens files on by their paths, and that can be cut, worn, full and copied.
///
/// A power cut keeps, drops or tears each sector that was written and not synced; deletions whose folder was not synced
/// may be undone. All chances follow from a seed. It lasts as long as this object or a file that is open on it.
public final class RAMDisk: Sendable {
    public enum Fault: String, Sendable, CaseIterable {
        /// The I/O fails; a write may have got half of its way.
        case fail
        /// It fails for want of room.
        case full
        /// The process ends, and what it wrote stays in the system's cache.
        case kill
        case cut

        fileprivate var code: kenh_fault {
            switch self {
            case .fail: KENH_FAULT_FAIL
            case .full: KENH_FAULT_FULL
            case .kill: KENH_FAULT_KILL
            case .cut: KENH_FAULT_CUT
            }
        }
    }

    /// What a disk says that it did and did not do.
    public struct Lies: OptionSet, Sendable {
        public let rawValue: UInt32

        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Files are not synced: what `synchronous=OFF` comes to.
        public static let sync = Lies(rawValue: KENH_LIE_SYNC.rawValue)
        /// Folders are not synced: what `synchronous=FULL` comes to where a journal is deleted.
        public static let folder = Lies(rawValue: KENH_LIE_FOLDER.rawValue)
    }

    /// What became of unsynced writes, by sector, and what struck so far.
    public struct Tally: Sendable, Equatable {
        public var kept = 0
        public var dropped = 0
        public var torn = 0
        public var cuts = 0
        public var kills = 0
        public var failures = 0
        /// For want of room.
        public var refusals = 0

        /// How often a fault struck.
        public var strikes: Int { cuts + kills + failures + refusals }
    }

    private static let count = Atomic<Int>(0)

    nonisolated(unsafe) private let handle: OpaquePointer
    private let folder: String

    /// - Parameter sectorBytes: what a cut treats as one, 512 or 4096.
    public init(seed: UInt64, sectorBytes: Int = 4096) {
        let code = kenh_faultfs_register()
        precondition(code == 0, "SQLite refused the VFS: \(code)")
        let name = "disk\(Self.count.add(1, ordering: .relaxed).newValue)"
        folder = "/kenh-ram/\(name)"
        guard let handle = kenh_disk_create(name, seed, Int32(sectorBytes)) else {
            preconditionFailure("no memory for a disk")
        }
        self.handle = handle
    }

    deinit { kenh_disk_release(handle) }

    /// The path by which SQLite finds a file of this disk.
    public func path(_ file: String) -> String { "\(folder)/\(file)" }

    // MARK: faults

    /// Seeds what the faults draw.
    public func seed(_ seed: UInt64) { kenh_disk_seed(handle, seed) }

    /// The `after`-th of these I/Os from now on, 1 being the next, meets a fault; `times` in a row where it fails.
    public func arm(_ fault: Fault, at kinds: DiskIO.Kinds = .changing, after: Int, times: Int = 1) {
        kenh_disk_arm(handle, kinds.rawValue, Int64(after), fault.code, Int64(times))
    }

    public func disarm() { kenh_disk_disarm(handle) }

    /// Whether a fault still waits.
    public var isArmed: Bool { kenh_disk_armed(handle) > 0 }

    public func lie(_ lies: Lies) { kenh_disk_set_lies(handle, lies.rawValue) }

    /// Leaves room for so many more bytes; nil for any number.
    public func limit(roomBytes: Int?) {
        kenh_disk_set_limit(handle, roomBytes.map { kenh_disk_used(handle) + Int64($0) } ?? -1)
    }

    // MARK: death

    /// The process ends; everything that is open fails until it is closed and opened again.
    public func kill() { kenh_disk_kill(handle) }

    public func cutPower() { kenh_disk_cut(handle) }

    /// True from a kill or a cut until ``start()``.
    public var isDown: Bool { kenh_disk_is_down(handle) != 0 }

    public func start() { kenh_disk_start(handle) }

    // MARK: copies

    /// Puts the files of another disk, as they lie there at this moment, in the place of the own ones.
    public func replace(with other: RAMDisk) { kenh_disk_replace(handle, other.handle) }

    public func erase() { kenh_disk_replace(handle, nil) }

    /// A disk with these files, synced.
    public func copy(seed: UInt64) -> RAMDisk {
        let copy = RAMDisk(seed: seed)
        copy.replace(with: self)
        return copy
    }

    // MARK: figures

    public var usedBytes: Int { Int(kenh_disk_used(handle)) }

    /// A file that has these bytes, one after another; nil where none has.
    public func file(holding bytes: [UInt8]) -> String? {
        kenh_disk_holder(handle, bytes, Int64(bytes.count)).map { String(cString: $0) }
    }

    /// How many I/Os of these kinds were asked for.
    public func count(_ kinds: DiskIO.Kinds) -> Int {
        DiskIO.allCases.filter { kinds.contains($0.kinds) }.reduce(0) { $0 + Int(kenh_disk_count(handle, $1.code)) }
    }

    public var tally: Tally {
        let tally = kenh_disk_tallied(handle)
        return Tally(
            kept: Int(tally.kept), dropped: Int(tally.dropped), torn: Int(tally.torn), cuts: Int(tally.cuts),
            kills: Int(tally.kills), failures: Int(tally.failures), refusals: Int(tally.refusals))
    }
}
