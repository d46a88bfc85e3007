import Dispatch
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

    /// Rows that were handled; nothing but this fits both times and the rate.
    var rowCount: Double { max(value * wallSeconds, 1) }

    /// A figure that took no time to make.
    init(_ step: Step, value: Double) {
        (self.step, self.value) = (step, value)
        (wallSeconds, cpuSeconds, peakBytes) = (0, 0, nil)
    }

    /// Times `body`, which handles `rows` rows.
    init(_ step: Step, rows: Int, _ body: () throws -> Void) rethrows {
        ResidentMemory.resetPeak()
        let (wall, cpu) = (Self.wallSeconds, Self.cpuSeconds)
        try body()
        self.step = step
        wallSeconds = Self.wallSeconds - wall
        cpuSeconds = Self.cpuSeconds - cpu
        peakBytes = ResidentMemory.peakBytes
        value = Double(rows) / wallSeconds
    }

    /// A figure that was found by timing, with the CPU seconds of all that it took.
    init(_ step: Step, value: Double, wallSeconds: Double, cpuSeconds: Double) {
        (self.step, self.value, peakBytes) = (step, value, nil)
        (self.wallSeconds, self.cpuSeconds) = (wallSeconds, cpuSeconds)
    }

    static var wallSeconds: Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }

    /// Of all threads of the process; POSIX fixes the unit.
    static var cpuSeconds: Double { Double(clock()) / 1_000_000 }
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
