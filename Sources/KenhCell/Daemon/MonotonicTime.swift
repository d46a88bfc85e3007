/// The clock of schedules: it goes on while the computer sleeps, and nobody sets it.
enum MonotonicTime {
    private static let origin = ContinuousClock.now

    static func milliseconds() -> Int64 {
        let (seconds, attoseconds) = origin.duration(to: .now).components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }

    static func timer(at: Int64, _ fire: @escaping @Sendable () -> Void) -> Task<Void, Never> {
        let wait = max(at - milliseconds(), 0)
        return Task {
            do { try await Task.sleep(for: .milliseconds(wait)) } catch { return }
            fire()
        }
    }
}
