import Foundation

/// The centre as a process of its own, so that its memory can be told from the cells'.
final class CentreProcess {
    private let process = Process()
    let port: Int

    init(_ centre: LoadCentre) throws {
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["--serve", centre.folder]
        try process.run()
        let ends = Date(timeIntervalSinceNow: 60)
        while true {
            if let text = try? String(contentsOfFile: centre.portPath, encoding: .utf8),
                let port = Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
            {
                self.port = port
                return
            }
            guard process.isRunning, Date() < ends else { throw CocoaError(.executableLoad) }
            Thread.sleep(forTimeInterval: 0.05)
        }
    }

    /// Resident memory at its highest, in MB of 2^20 bytes; 0 where the system does not say.
    var peakMegabytes: Int {
        let status = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return (line.flatMap { Int($0.filter(\.isNumber)) } ?? 0) >> 10
    }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }
}
