/// One device's ear at a ``WakeBoard``. Letting go of it takes it off the board.
public final class WakeListener: Sendable {
    let post: WakePost
    private let board: WakeBoard

    init(_ post: WakePost, at board: WakeBoard) {
        self.post = post
        self.board = board
    }

    deinit { board.remove(post) }

    /// An element whenever ``take()`` may have something; they do not pile up. Ends with the listener. For one reader.
    public var signals: AsyncStream<Void> { post.signals }

    /// Without elements; ends when nothing more is to be told: the device was revoked or listens anew, or the centre
    /// stops. For one reader.
    public var end: AsyncStream<Never> { post.end }

    /// Channels that moved since the last call, in the order of their names; none where it was a reminder.
    public func take() -> [String] { post.take() }

    /// Makes a signal with nothing to tell, by which a stream keeps itself alive.
    public func remind() { post.remind() }

    public func finish() { post.finish() }
}
