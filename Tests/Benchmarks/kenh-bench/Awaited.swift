import Dispatch
import Synchronization

/// What asynchronous work comes to, for the synchronous main program that waits for it. The program is synchronous
/// because Valgrind does not survive it when the main thread leaves for Dispatch.
final class Awaited<T: Sendable>: Sendable {
    private let result = Mutex<Result<T, any Error>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    init(_ work: @escaping @Sendable () async throws -> T) {
        Task.detached { [self] in
            do {
                let value = try await work()
                result.withLock { $0 = .success(value) }
            } catch { result.withLock { $0 = .failure(error) } }
            done.signal()
        }
    }

    func value() throws -> T? {
        done.wait()
        return try result.withLock { $0 }?.get()
    }
}
