import KenhHub
import KenhStore
import Synchronization

/// A centre's log whose next transaction may fail: before it begins, before it is committed, or after, when nobody is
/// told that it was.
public final class FaultyLog: HubLog {
    public enum Fault: CaseIterable, Sendable { case refused, rolledBack, unknown }

    private struct State {
        var next: Fault?
        var struck: [Fault] = []
    }

    private let log: any HubLog
    private let state = Mutex(State())

    public init(_ log: any HubLog) { self.log = log }

    /// Makes the next write fail, or lets it succeed.
    public func fail(_ fault: Fault?) { state.withLock { $0.next = fault } }

    /// What struck since this was last asked.
    public func takeStruck() -> [Fault] {
        state.withLock { state in
            defer { state.struck = [] }
            return state.struck
        }
    }

    private func strike() -> Fault? {
        state.withLock { state in
            defer { state.next = nil }
            if let fault = state.next { state.struck.append(fault) }
            return state.next
        }
    }

    public func write<T>(_ body: (any HubTransaction) throws -> T) throws -> T {
        let fault = strike()
        if fault == .refused { throw StoreError(.busy, "the log is in use", recovery: .retry) }
        let result = try log.write { transaction in
            let result = try body(transaction)
            if fault == .rolledBack { throw StoreError(.diskFull, "the disk is full", recovery: .retry) }
            return result
        }
        if fault == .unknown { throw StoreError(.io, "the log fell silent", recovery: .retry) }
        return result
    }

    public func read<T>(_ body: (any HubTransaction) throws -> T) throws -> T { try log.read(body) }

    public func scrub() throws { try log.scrub() }
}
