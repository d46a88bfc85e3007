import Synchronization

/// How much of requests' bodies may be held at once.
final class BodyMemory: Sendable {
    private let limitBytes: Int
    private let heldBytes = Mutex(0)

    init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// What one request holds; given back with the object.
    final class Hold: Sendable {
        private let memory: BodyMemory
        private let bytes = Mutex(0)

        init(_ memory: BodyMemory) { self.memory = memory }

        deinit { memory.give(back: bytes.withLock { $0 }) }

        /// - Throws: ``TooBusy`` where others hold too much.
        func take(_ count: Int) throws(TooBusy) {
            guard memory.take(count) else { throw TooBusy() }
            bytes.withLock { $0 += count }
        }
    }

    var held: Int { heldBytes.withLock { $0 } }

    private func take(_ count: Int) -> Bool {
        heldBytes.withLock { held in
            guard count <= limitBytes - held else { return false }
            held += count
            return true
        }
    }

    private func give(back count: Int) { heldBytes.withLock { $0 -= count } }
}
