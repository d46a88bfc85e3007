import KenhHub
import KenhStore
import Synchronization

/// A centre's log whose next transaction may fail: before it begins, before it is committed, or after, when nobody is
/// told that it was.
public final class FaultyLog: HubLog {
    public enum Fault: CaseIterable, Sendable { case refused, rolledBack, unknown }

    private let log: any HubLog
    private let next = Mutex<Fault?>(nil)

    public init(_ log: any HubLog) { self.log = log }

    /// Makes the next write fail; nil lets it succeed.
    /// - Returns: what was set before and has not struck.
    @discardableResult
    public func fail(_ fault: Fault?) -> Fault? {
        next.withLock { next in
            defer { next = fault }
            return next
        }
    }

    public func write<T>(_ body: (any HubTransaction) throws -> T) throws -> T {
        let fault = fail(nil)
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
}
