import KenhMerge
import KenhStore
import Synchronization

/// Attachments on a disk in memory, which loses with its power what was not synced, and of which single I/Os fail.
public final class RAMBlobFiles: BlobFiles {
    private struct Part {
        var bytes: [UInt8] = []
        var synced: [UInt8]?
        var changedAtMilliseconds: Int64
    }

    private struct State {
        var whole: [Hash256: [UInt8]] = [:]
        var parts: [String: Part] = [:]
        /// The I/O that fails, counted down; nil where none does.
        var failsIn: Int?
        var failures = 0
    }

    private let state = Mutex(State())
    private let clock: @Sendable () -> Int64

    public init(clock: @escaping @Sendable () -> Int64) { self.clock = clock }

    // MARK: faults

    /// The `after`-th I/O from now on fails, 1 being the next; a write gets half of its way.
    public func arm(after: Int?) { state.withLock { $0.failsIn = after } }

    /// I/Os that failed so far.
    public var failures: Int { state.withLock { $0.failures } }

    public func cutPower() {
        state.withLock { state in
            for (name, part) in state.parts {
                state.parts[name] = part.synced.map {
                    Part(bytes: $0, synced: $0, changedAtMilliseconds: part.changedAtMilliseconds)
                }
            }
        }
    }

    /// With these files, synced.
    public func copy() -> RAMBlobFiles {
        let copy = RAMBlobFiles(clock: clock)
        copy.replace(with: self)
        return copy
    }

    public func replace(with other: RAMBlobFiles) {
        let (whole, parts) = other.state.withLock { ($0.whole, $0.parts) }
        state.withLock { ($0.whole, $0.parts) = (whole, parts) }
    }

    private func io<T>(_ body: (inout State, _ fails: Bool) throws(StoreError) -> T) throws(StoreError) -> T {
        try state.withLock { (state) throws(StoreError) in
            state.failsIn = state.failsIn.map { $0 - 1 }
            let fails = state.failsIn == 0
            if fails { (state.failsIn, state.failures) = (nil, state.failures + 1) }
            let result = try body(&state, fails)
            if fails { throw StoreError(.io, "the disk does not answer", recovery: .retry) }
            return result
        }
    }

    // MARK: whole ones

    public func size(of hash: Hash256) throws(StoreError) -> UInt64? {
        try io { state, _ in state.whole[hash].map { UInt64($0.count) } }
    }

    public func read(_ hash: Hash256, from offset: UInt64, limit: Int) throws(StoreError) -> [UInt8] {
        try io { (state, _) throws(StoreError) in
            guard let bytes = state.whole[hash] else { throw StoreError(.io, "there is no such file") }
            return Array(bytes.dropFirst(Int(clamping: offset)).prefix(limit))
        }
    }

    public func isGood(_ hash: Hash256) throws(StoreError) -> Bool? {
        try io { state, _ in state.whole[hash].map { SampleBlob(bytes: $0).hash == hash } }
    }

    public func all() throws(StoreError) -> [Hash256] {
        try io { state, _ in state.whole.keys.sorted { "\($0)" < "\($1)" } }
    }

    public func remove(_ hash: Hash256) throws(StoreError) {
        try io { state, fails in if !fails { state.whole[hash] = nil } }
    }

    public func setAside(_ hash: Hash256) throws(StoreError) { try remove(hash) }

    // MARK: unfinished ones

    public func partSize(_ name: String) throws(StoreError) -> UInt64 {
        try io { state, _ in UInt64(state.parts[name]?.bytes.count ?? 0) }
    }

    public func cutPart(_ name: String, to size: UInt64) throws(StoreError) {
        try io { state, _ in
            guard let bytes = state.parts[name]?.bytes else { return }
            state.parts[name]?.bytes = Array(bytes.prefix(Int(clamping: size)))
        }
    }

    public func write(_ bytes: [UInt8], toPart name: String, at offset: UInt64, isDurable: Bool) throws(StoreError) {
        let now = clock()
        try io { state, fails in
            var part = state.parts[name] ?? Part(changedAtMilliseconds: now)
            let written = fails ? Array(bytes.prefix(bytes.count / 2)) : bytes
            let (start, end) = (Int(offset), Int(offset) + written.count)
            if part.bytes.count < end { part.bytes += [UInt8](repeating: 0, count: end - part.bytes.count) }
            part.bytes.replaceSubrange(start..<end, with: written)
            part.changedAtMilliseconds = now
            if isDurable, !fails { part.synced = part.bytes }
            state.parts[name] = part
        }
    }

    public func finish(_ name: String, as hash: Hash256) throws(StoreError) -> Bool {
        try io { state, fails in
            guard let part = state.parts[name], !fails else { return false }
            state.parts[name] = nil
            guard SampleBlob(bytes: part.bytes).hash == hash else { return false }
            state.whole[hash] = part.bytes
            return true
        }
    }

    public func removePart(_ name: String) throws(StoreError) {
        try io { state, fails in if !fails { state.parts[name] = nil } }
    }

    public func parts() throws(StoreError) -> [(name: String, changedAtMilliseconds: Int64)] {
        try io { state, _ in
            state.parts.sorted { $0.key < $1.key }.map { ($0.key, $0.value.changedAtMilliseconds) }
        }
    }
}
