import Synchronization

/// A latch that ends transfers under way and refuses later ones; it cannot be undone.
public final class Cancellation: Sendable {
    private let flag = Atomic(false)
    private let watchers = Mutex<(next: Int, wakes: [Int: @Sendable () -> Void])>((0, [:]))

    public init() {}

    public var isCancelled: Bool { flag.load(ordering: .acquiring) }

    /// From any thread, any number of times. Transfers end within about a second.
    public func cancel() {
        watchers.withLock { watchers in
            flag.store(true, ordering: .releasing)
            for wake in watchers.wakes.values { wake() }
        }
    }

    /// Calls `wake` when the cancellation comes while `body` runs, and never after it: `wake` may use what ends with
    /// `body`. It is called under a lock, so it has to be brief.
    func watched<T>(by wake: @escaping @Sendable () -> Void, during body: () -> T) -> T {
        let id = watchers.withLock { watchers in
            watchers.next += 1
            watchers.wakes[watchers.next] = wake
            return watchers.next
        }
        defer { watchers.withLock { $0.wakes[id] = nil } }
        return body()
    }
}
