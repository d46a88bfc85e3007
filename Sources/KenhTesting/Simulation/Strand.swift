import Dispatch
import Foundation

/// Code that waits in its middle for something that a simulation gives it later.
///
/// It has a thread of its own, but runs only while ``resume(_:)`` waits for it, so there is never more than one at work
/// and everything happens in one order.
final class Strand<Input>: @unchecked Sendable {
    private let mayRun = DispatchSemaphore(value: 0)
    private let hasStopped = DispatchSemaphore(value: 0)
    private var input: Result<Input, any Error>?
    private(set) var isFinished = false

    /// - Parameters:
    ///   - entering: called on the strand's thread whenever it begins or goes on.
    ///   - body: begins with the first ``resume(_:)``.
    init(entering: @escaping () -> Void, _ body: @escaping () -> Void) {
        self.entering = entering
        self.body = body
        Thread { [self] in
            mayRun.wait()
            self.entering?()
            run()
            hasStopped.signal()
        }.start()
    }

    private var entering: (() -> Void)?
    private var body: (() -> Void)?

    /// What the body holds is let go before it counts as ended: were it the last to hold a store, its thread would close
    /// that store's file while others go on.
    private func run() {
        body?()
        body = nil
        entering = nil
        input = nil
        isFinished = true
    }

    /// Lets it run until it waits again or ends. The first call starts it; each later one is what it waited for.
    func resume(_ input: Result<Input, any Error>? = nil) {
        precondition(!isFinished, "the strand has ended")
        self.input = input
        mayRun.signal()
        hasStopped.wait()
    }

    /// For the strand itself.
    func wait() throws -> Input {
        hasStopped.signal()
        mayRun.wait()
        entering?()
        guard let input else { throw SimulationFailure("a strand was resumed with nothing") }
        return try input.get()
    }
}
