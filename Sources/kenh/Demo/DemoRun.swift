import Foundation
import KenhHub
import KenhMerge
import KenhProgramme
import KenhProtocol
import KenhStore
import KenhWords

/// The demo from an empty folder to the compared stores.
final class DemoRun {
    private let folder: String
    private let seed: UInt64
    private let language: Language
    private let processes: DemoProcesses
    private let cells = DemoOrganisation.cells
    private var forwarders: [String: Forwarder] = [:]
    private var centrePort: UInt16 = 0
    private var phases: [(name: String, seconds: Double)] = []

    init(folder: String, seed: UInt64, language: Language) {
        self.folder = folder
        self.seed = seed
        self.language = language
        processes = DemoProcesses(folder: folder)
    }

    private var centre: Home { Home(path: folder + "/central") }
    private func home(_ cell: String) -> Home { Home(path: folder + "/cells/" + cell) }
    private func say(_ vietnamese: String, _ english: String) { print(Bilingual(vietnamese, english)[language]) }

    /// - Returns: the checker's exit code.
    func run(keep: Bool, checker: String?) async throws -> Int32 {
        let interruption = Interruption { [processes] in processes.stopAll() }
        defer { interruption.end() }
        var isKept = false
        defer { if !isKept { stopAll() } }
        try phase("Lập tổ chức và trung tâm", "Make the organisation and its centre") { try makeCentre() }
        try phase("Năm chi bộ tham gia và nhận dữ liệu", "Five cells join and receive the data") { try joinCells() }
        try phase("Mất mạng; mỗi chi bộ làm việc một tháng", "The network is cut; each cell works for a month") {
            try playMonth()
        }
        try phase("Có mạng lại; các máy tự đồng bộ", "The network returns; the daemons sync") {
            for forwarder in forwarders.values { forwarder.restore() }
            try waitForAgreement()
        }
        try showMerged()
        try showConflicts()
        try showDigests()
        showTimes()
        if keep {
            try handOver()
            isKept = true
        } else {
            stopAll()
        }
        return try check(checker)
    }

    private func stopAll() {
        processes.stopAll()
        for forwarder in forwarders.values { forwarder.stop() }
        forwarders = [:]
    }

    private func phase(_ vietnamese: String, _ english: String, _ body: () throws -> Void) throws {
        let name = Bilingual(vietnamese, english)[language]
        print("── \(name)")
        let started = ContinuousClock.now
        try body()
        let (seconds, attoseconds) = started.duration(to: .now).components
        phases.append((name, Double(seconds) + Double(attoseconds) / 1e18))
    }

    // MARK: the organisation

    private func makeCentre() throws {
        try? FileManager.default.removeItem(atPath: folder)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        _ = try CentreSetup(home: centre, name: "Đảng bộ Trường Chính trị (số liệu minh họa)").make()
        let (store, hub, view) = try centre.openCentre()
        try DemoOrganisation(seed: seed).install(into: store)
        let names = try Self.unitNames(store)
        for cell in cells {
            try hub.addCell(code: cell, name: names[cell] ?? cell)
            let code = try hub.issueCode(cell: cell)
            try writeCode(code.text, for: cell)
        }
        try view.catchUp()
        let rows = try store.status().rows.map(\.count).reduce(0, +)
        say("   \(rows) dòng dữ liệu tại trung tâm", "   \(rows) rows at the centre")
        try startCentre()
    }

    private static func unitNames(_ store: Store) throws -> [String: String] {
        Dictionary(
            try store.rows("SELECT code, name FROM unit").map { ($0["code"].string ?? "", $0["name"].string ?? "") }
        ) { $1 }
    }

    private func writeCode(_ code: String, for cell: String) throws {
        let path = codePath(cell)
        guard
            FileManager.default.createFile(
                atPath: path, contents: Data(code.utf8), attributes: [.posixPermissions: 0o600])
        else { throw Failure(.disk, "\(path) cannot be written") }
    }

    private func codePath(_ cell: String) -> String { folder + "/code-" + cell }

    private func startCentre() throws {
        let portFile = folder + "/port"
        try processes.start(
            ["central", "serve", "--home", centre.path, "--port", "0", "--port-file", portFile], log: "central.log")
        try wait("the centre to serve") {
            guard let text = try? String(contentsOfFile: portFile, encoding: .utf8),
                let port = UInt16(text.trimmingCharacters(in: .whitespacesAndNewlines))
            else { return false }
            centrePort = port
            return true
        }
    }

    // MARK: the cells

    private func joinCells() throws {
        for cell in cells {
            let forwarder = try Forwarder(to: centrePort)
            forwarders[cell] = forwarder
            let (status, output) = try DemoProcesses.run(
                DemoProcesses.program,
                [
                    "join", "http://127.0.0.1:\(forwarder.port)", "--home", home(cell).path, "--code-file",
                    codePath(cell),
                    "--device-name", "laptop-\(cell)",
                ])
            guard status == 0 else { throw Failure(.failure, "\(cell) could not join: \(output)") }
            try? FileManager.default.removeItem(atPath: codePath(cell))
            try processes.start(["daemon", "--home", home(cell).path, "--interval", "2"], log: "\(cell).log")
        }
        try waitForAgreement()
        for cell in cells {
            let rows = try home(cell).openStore().status().rows.map(\.count).reduce(0, +)
            say("   \(cell): tham gia, nhận \(rows) dòng", "   \(cell): joined, received \(rows) rows")
        }
    }

    private func playMonth() throws {
        for forwarder in forwarders.values { forwarder.cut() }
        let month = DemoMonth(seed: seed)
        for cell in cells {
            let steps = month.steps(of: cell)
            print("   \(cell)")
            for step in steps {
                try play(step)
                print("     \(step.date.formatted(language))  \(step.words[language])")
            }
        }
        for cell in cells {
            let status = try home(cell).openStore().status()
            guard status.pendingChanges + status.unsentChanges > 0 else {
                throw Failure(.failure, "\(cell) has nothing to send: the line was not cut")
            }
        }
    }

    private func play(_ step: DemoStep) throws {
        switch step.action {
        case .write(let body):
            try home(step.cell).openStore().write(
                officer: step.officer, atMilliseconds: DemoOrganisation.milliseconds(of: step.date), body)
        case .sql(let script):
            // Any SQLite tool will do; its transactions only have to wait for the daemon's.
            let (status, output) = try DemoProcesses.run(
                "/usr/bin/env", ["sqlite3", "-bail", "-cmd", ".timeout 10000", home(step.cell).storePath], input: script
            )
            guard status == 0 else { throw Failure(.failure, "sqlite3 refused the script of \(step.cell): \(output)") }
        }
    }

    // MARK: agreement

    private func wait(_ what: String, _ isDone: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(120)
        while try !isDone() {
            guard ContinuousClock.now < deadline else {
                throw Failure(.failure, "the demo waited two minutes for \(what); see the logs in \(folder)")
            }
            usleep(100_000)
        }
    }

    /// Everything is sent, everything is merged, and all digests are equal.
    private func waitForAgreement() throws {
        var missing = Set(cells)
        try wait("all cells to agree with the centre") {
            let centre = try settled(self.centre)
            guard let centre else { return false }
            for cell in missing.sorted() where try settled(home(cell)) == centre {
                missing.remove(cell)
                say("   \(cell) khớp với trung tâm", "   \(cell) agrees with the centre")
            }
            return try missing.isEmpty && cells.allSatisfy { try settled(home($0)) == centre }
        }
    }

    /// The digests of a store that has nothing unsent; nil where it has, or where its file is in use just now.
    private func settled(_ home: Home) throws -> [String: Digest128]? {
        do {
            let store = try home.openStore()
            let status = try store.status()
            guard status.pendingChanges + status.unsentBlocks + status.heldBlocks == 0 else { return nil }
            let digests = try store.settledDigests().filter { $0.key != ChannelName.registry }
            return digests.isEmpty ? nil : digests
        } catch let error as StoreError where error.recovery == .retry { return nil }
    }

    // MARK: what is shown

    private func showMerged() throws {
        say("\n── Số liệu đã hợp nhất tại trung tâm", "\n── The merged state at the centre")
        print(try Overview.read(from: centre.openStore(), asOf: DemoMonth.period.day(30)).rendered(Words(language)))
    }

    private func showConflicts() throws {
        let conflicts = try centre.openStore().conflicts()
        say("\n── Xung đột được giữ lại: \(conflicts.count)", "\n── Conflicts kept: \(conflicts.count)")
        print(conflicts.map(ConflictOutput.text).joined(separator: "\n"))
    }

    private func showDigests() throws {
        say("\n── Mã băm trạng thái", "\n── Digests of the merged state")
        let central = try settled(centre) ?? [:]
        for (channel, digest) in central.sorted(by: { $0.key < $1.key }) {
            let equal = try cells.filter { try settled(home($0))?[channel] == digest }.count
            print(
                "   \(channel.padding(toLength: 10, withPad: " ", startingAt: 0)) \(digest)  = \(equal)/\(cells.count)")
        }
    }

    private func showTimes() {
        say("\n── Thời gian", "\n── Times")
        for phase in phases { print("   \(String(format: "%6.2f s", phase.seconds))  \(phase.name)") }
    }

    /// Passes the lines on to a process of their own, since this one ends.
    private func handOver() throws {
        let lines = forwarders.values.map { "\($0.port)=\(centrePort)" }.joined(separator: ",")
        for forwarder in forwarders.values { forwarder.stop() }
        forwarders = [:]
        try processes.start(["demo", "--lines", lines], log: "lines.log")
        let cell = home("CB1").path
        say("\n── Còn chạy. Hãy thử:", "\n── Still running. Try:")
        print(
            """
               sqlite3 \(cell)/kenh.db "UPDATE work_item SET title = 'Thử' WHERE id = '\(DemoMonth.jointSeminar)'"
               \(DemoProcesses.program) sync --home \(cell)
               \(DemoProcesses.program) history work_item \(DemoMonth.jointSeminar) --home \(centre.path)
               \(DemoProcesses.program) conflicts --home \(centre.path)
               make demo-stop
            """)
    }

    private func check(_ checker: String?) throws -> Int32 {
        guard let checker else { return 0 }
        say("\n── Kiểm tra độc lập", "\n── An independent check")
        fflush(nil)
        let (status, output) = try DemoProcesses.run(
            "/usr/bin/env", ["python3", checker, folder, "--min-rows", "1000"])
        print(output, terminator: "")
        return status
    }
}

/// Ends the children when the demo itself is told to end.
final class Interruption {
    private var sources: [any DispatchSourceSignal] = []

    init(_ cleanUp: @escaping () -> Void) {
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                cleanUp()
                exit(130)
            }
            source.resume()
            sources.append(source)
        }
    }

    func end() { for source in sources { source.cancel() } }
}
