import Synchronization

/// What waits to be told to one device. It holds names and no history, so that whoever reads slowly costs no more than
/// whoever reads fast.
final class WakePost: Sendable {
    /// Whoever hears of one channel syncs all of them, so names beyond this need not be told.
    static let channelLimit = 64

    let device: RegisteredDevice
    let signals: AsyncStream<Void>
    let end: AsyncStream<Never>
    private let signal: AsyncStream<Void>.Continuation
    private let ending: AsyncStream<Never>.Continuation
    private let moved = Mutex<Set<String>>([])

    init(_ device: RegisteredDevice) {
        self.device = device
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (end, ending) = AsyncStream.makeStream()
    }

    func tell(_ channels: [String]) {
        guard !channels.isEmpty else { return }
        moved.withLock { moved in
            for channel in channels where moved.count < Self.channelLimit { moved.insert(channel) }
        }
        remind()
    }

    func remind() { signal.yield() }

    func take() -> [String] {
        moved.withLock { moved in
            defer { moved = [] }
            return moved.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        }
    }

    func finish() {
        signal.finish()
        ending.finish()
    }
}
