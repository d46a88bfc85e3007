import CFaultFS

/// What SQLite asks of a disk.
public enum DiskIO: UInt32, Sendable, CaseIterable {
    case read, write, sync, truncate, open, delete

    /// Several of them.
    public struct Kinds: OptionSet, Hashable, Sendable {
        public let rawValue: UInt32

        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Those after which a disk may hold something else.
        public static let changing = Kinds([.write, .sync, .truncate, .open, .delete])

        public init(_ kinds: [DiskIO]) { self.init(kinds.map(\.kinds)) }
    }

    public var kinds: Kinds { Kinds(rawValue: 1 << rawValue) }

    var code: kenh_io { kenh_io(rawValue: rawValue) }
}
