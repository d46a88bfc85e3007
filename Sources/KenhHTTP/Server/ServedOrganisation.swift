import Foundation
import Hummingbird

/// One of several, with its share of what is answered at once.
final class ServedOrganisation: Sendable {
    let centre: ServedCentre
    /// Where its files were when it began.
    let place: String
    private let share: OrganisationShare
    private let parts: CentreParts
    private let condition = NSCondition()
    nonisolated(unsafe) private var running = 0
    nonisolated(unsafe) private var isClosed = false

    init(_ centre: ServedCentre, _ parts: CentreParts, at place: String, share: OrganisationShare) {
        (self.centre, self.parts, self.place, self.share) = (centre, parts, place, share)
    }

    var requestCount: Int { condition.withLock { running } }

    func respond(to request: Request, context: BasicRequestContext) async throws -> Response {
        guard enter() else { return try centre.refuse(request, TooBusy()) }
        defer { leave() }
        return try await centre.respond(to: request, context: context)
    }

    private func enter() -> Bool {
        condition.withLock {
            guard !isClosed, running < share.requestLimit else { return false }
            running += 1
            return true
        }
    }

    private func leave() {
        condition.withLock {
            running -= 1
            if running == 0 { condition.broadcast() }
        }
    }

    /// Takes no more, and ends what goes with it once all that is under way was answered.
    ///
    /// - Returns: whether that was so before patience ran out; otherwise it goes on, and nobody waits for it.
    func end() -> Bool {
        condition.withLock { isClosed = true }
        centre.closeStreams()
        if waitForRequests(until: Date(timeIntervalSinceNow: share.patienceSeconds)) {
            centre.stop()
            return true
        }
        Thread.detachNewThread { [self] in
            // Not until the distant future: Foundation traps at a time that far off.
            condition.withLock { while running > 0 { condition.wait() } }
            centre.stop()
        }
        return false
    }

    private func waitForRequests(until date: Date) -> Bool {
        condition.withLock {
            while running > 0 { guard condition.wait(until: date) else { return running == 0 } }
            return true
        }
    }
}
