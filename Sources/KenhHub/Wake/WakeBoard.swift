import KenhMerge
import KenhProtocol
import KenhStore
import Synchronization

/// Finds out which channels moved, by comparing the log's heads with those that it saw last, and tells the devices that
/// listen and whose cells may read them. So it does not matter which process appended.
///
/// Calls block on the disk and can be made from any thread.
public final class WakeBoard: Sendable {
    private let hub: Hub
    private let limit: Int
    private let desk = Mutex(Desk())
    private let seen = Mutex(Seen())

    private struct Desk {
        /// By the device's key.
        var posts: [[UInt8]: WakePost] = [:]
        var isClosed = false
    }

    /// The log as it was at the last look.
    private struct Seen {
        var size: UInt64?
        var epoch: [UInt8] = []
        var heads: [String: Hash256] = [:]
        /// By cell, of the registry as it was then.
        var rights: [String: Rights] = [:]
    }

    /// - Parameter limit: of listeners.
    public init(hub: Hub, limit: Int = 10_000) {
        self.hub = hub
        self.limit = limit
    }

    public var listenerCount: Int { desk.withLock { $0.posts.count } }

    /// Tells of everything that is appended from now on. A device's listener before this one ends.
    ///
    /// - Throws: ``ProtocolError`` with code `revoked`; ``HubError`` with code `unavailable` where there are too many
    ///   listeners, or the board was closed.
    public func listen(for device: RegisteredDevice) throws -> WakeListener {
        let post = WakePost(device)
        try add(post)
        let listener = WakeListener(post, at: self)
        // Asked once it is on the board: a revocation after this ends it.
        try hub.refuseRevoked(device.key)
        try look()
        return listener
    }

    private func add(_ post: WakePost) throws(HubError) {
        let (isAdded, before) = desk.withLock { desk -> (Bool, WakePost?) in
            let before = desk.posts[post.device.key.bytes]
            guard !desk.isClosed, before != nil || desk.posts.count < limit else { return (false, nil) }
            desk.posts[post.device.key.bytes] = post
            return (true, before)
        }
        guard isAdded else {
            throw HubError(
                .unavailable, "the centre wakes as many devices as it can; the schedule does without", recovery: .retry)
        }
        before?.finish()
    }

    func remove(_ post: WakePost) {
        desk.withLock { desk in
            guard desk.posts[post.device.key.bytes] === post else { return }
            desk.posts[post.device.key.bytes] = nil
        }
        post.finish()
    }

    /// Ends all listeners and takes no more.
    public func close() {
        let posts = desk.withLock { desk in
            desk.isClosed = true
            return Array(desk.posts.values)
        }
        for post in posts { post.finish() }
    }

    /// Compares, and tells. Does next to nothing where nothing was appended.
    public func look() throws {
        try seen.withLock { seen in
            try hub.log.read { transaction in
                let (size, epoch) = (try transaction.size, try transaction.epoch)
                guard size != seen.size || epoch != seen.epoch else { return }
                let heads = Dictionary(try transaction.heads().map { ($0.channel, $0.entryHash) }) { $1 }
                let moved = heads.filter { seen.heads[$0] != $1 }.keys.sorted()
                // Before the first look nobody listens.
                let isFirst = seen.size == nil
                (seen.size, seen.epoch, seen.heads) = (size, epoch, heads)
                guard !isFirst else { return }
                if moved.contains(ChannelName.registry) {
                    seen.rights = [:]
                    try endRevoked(transaction)
                }
                try tell(moved, &seen.rights, transaction)
            }
        }
    }

    private func endRevoked(_ transaction: any HubTransaction) throws {
        let revoked = Set(
            try transaction.devices().lazy.filter { $0.revokedAtMilliseconds != nil }.map(\.key.bytes))
        for post in posts where revoked.contains(post.device.key.bytes) { remove(post) }
    }

    private func tell(
        _ moved: [String], _ rights: inout [String: Rights], _ transaction: any HubTransaction
    ) throws {
        // Everybody reads the registry; most moves are of it alone or of one channel.
        let others = moved.filter { $0 != ChannelName.registry }
        let common = others.count == moved.count ? [] : [ChannelName.registry]
        var readable: [String: [String]] = [:]
        for post in posts {
            let cell = post.device.cell
            if readable[cell] == nil, !others.isEmpty {
                let known = try rights[cell] ?? transaction.rights(of: cell)
                rights[cell] = known
                readable[cell] = others.filter { known.role(of: cell, in: $0).reads }
            }
            post.tell(common + (readable[cell] ?? []))
        }
    }

    private var posts: [WakePost] { desk.withLock { Array($0.posts.values) } }
}
