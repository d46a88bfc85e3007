import Foundation

/// Calls that take long or wait, on a thread of their own: the threads of tasks are as few as the processors, and all other
/// tests need them.
public enum Blocking {
    public static func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
        }
    }
}
