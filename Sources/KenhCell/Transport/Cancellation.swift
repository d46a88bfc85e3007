import Synchronization

/// A latch that ends transfers under way and refuses later ones; it cannot be undone.
public final class Cancellation: Sendable {
    private let flag = Atomic(false)

    public init() {}

    public var isCancelled: Bool { flag.load(ordering: .acquiring) }

    /// From any thread, any number of times. Transfers end within about a second.
    public func cancel() { flag.store(true, ordering: .releasing) }
}
