import Foundation

/// One timed part of a run, or one figure that is no time.
struct Sample {
    let step: Step
    /// In the step's unit.
    let value: Double
    let wallSeconds: Double
    let cpuSeconds: Double
    /// The largest resident size during the part; nil where the system does not tell.
    let peakBytes: Int?

    /// A figure that took no time to make.
    init(_ step: Step, value: Double) {
        (self.step, self.value) = (step, value)
        (wallSeconds, cpuSeconds, peakBytes) = (0, 0, nil)
    }

    /// Times `body`, which handles `rows` rows.
    init(_ step: Step, rows: Int, _ body: () throws -> Void) rethrows {
        ResidentMemory.resetPeak()
        let (wall, cpu) = (Self.seconds(CLOCK_MONOTONIC), Self.seconds(CLOCK_PROCESS_CPUTIME_ID))
        try body()
        self.step = step
        wallSeconds = Self.seconds(CLOCK_MONOTONIC) - wall
        cpuSeconds = Self.seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu
        peakBytes = ResidentMemory.peakBytes
        value = Double(rows) / wallSeconds
    }

    private static func seconds(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// The peak of this process's resident size, as Linux keeps it.
enum ResidentMemory {
    static func resetPeak() {
        guard let file = fopen("/proc/self/clear_refs", "w") else { return }
        fputs("5", file)
        fclose(file)
    }

    static var peakBytes: Int? {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return nil }
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(separator: " ").compactMap { Int($0) }.first.map { $0 * 1024 }
    }
}
