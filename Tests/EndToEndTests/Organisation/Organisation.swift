import Foundation
import Testing

/// A centre and cells in a temporary folder, made and joined through the command alone. Every cell reaches the centre
/// over a line of its own.
///
/// The folder is laid out as check_demo.py wants it: `central` and `cells/CODE`.
final class Organisation {
    let folder: URL
    let centre: Node
    private(set) var cells: [Node] = []
    private(set) var server: Child?
    private var serverPort: UInt16 = 0
    private var children: [Child] = []
    private var lines: [Line] = []

    /// - Parameter cells: codes of cells that join at once.
    init(_ cells: [String] = ["CB1"]) throws {
        folder = URL(fileURLWithPath: NSTemporaryDirectory()).appendingPathComponent("kenh-e2e-\(UUID().uuidString)")
        let files = folder.appendingPathComponent("files")
        try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
        centre = Node(name: "centre", home: folder.appendingPathComponent("central"), files: files, line: nil)
        try expectSuccess(centre.kenh("central", "init", "--name", "Đảng bộ Trường"))
        try startCentre()
        for code in cells { try join(code) }
    }

    deinit {
        for child in children + [server].compactMap(\.self) {
            child.send(SIGKILL)
            _ = child.wait()
        }
        for line in lines { line.stop() }
        try? FileManager.default.removeItem(at: folder)
    }

    subscript(_ name: String) -> Node {
        guard let cell = cells.first(where: { $0.name == name }) else { preconditionFailure("no cell \(name)") }
        return cell
    }

    var nodes: [Node] { [centre] + cells }
    var address: String { "http://127.0.0.1:\(serverPort)" }
    var port: UInt16 { serverPort }

    @discardableResult
    func expectSuccess(_ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
        guard outcome.status == 0 else { throw TestFailure("\(outcome)") }
        return outcome
    }

    /// Keeps a process to end it with the organisation.
    func keep(_ child: Child) -> Child {
        children.append(child)
        return child
    }

    // MARK: the centre

    /// - Parameter arguments: beside the port.
    func startCentre(_ arguments: [String] = []) throws {
        let portFile = folder.appendingPathComponent("port")
        try? FileManager.default.removeItem(at: portFile)
        let child = try centre.start(["central", "serve", "--port", "0", "--port-file", portFile.path] + arguments)
        server = child
        try Waiting.until("the centre serves") {
            guard child.isRunning else { throw TestFailure("the centre does not serve: \(child.wait())") }
            guard let text = try? String(contentsOf: portFile, encoding: .utf8), text.hasSuffix("\n"),
                let port = UInt16(text.dropLast())
            else { return false }
            serverPort = port
            return true
        }
        for line in lines { line.retarget(serverPort) }
    }

    @discardableResult
    func stopCentre(_ signal: Int32 = SIGTERM) -> Outcome? {
        server?.send(signal)
        defer { server = nil }
        return server?.wait()
    }

    // MARK: cells

    func code(for cell: String) throws -> String {
        let added = try centre.kenh("central", "cell", "add", cell, "--name", "Chi bộ \(cell)")
        guard added.status == 0 || added.errors.contains("already") else { throw TestFailure("\(added)") }
        let outcome = try expectSuccess(centre.kenh("central", "device", "add", cell, "--json"))
        return outcome.json["code"] as? String ?? ""
    }

    /// A cell that has not joined yet.
    func prepare(_ cell: String) throws -> Node {
        let line = try Line(to: serverPort)
        lines.append(line)
        return Node(name: cell, home: folder.appendingPathComponent("cells/\(cell)"), files: centre.files, line: line)
    }

    @discardableResult
    func join(_ code: String) throws -> Node {
        let node = try prepare(code)
        cells.append(node)
        try expectSuccess(node.kenh("join", node.line?.url ?? "", input: try self.code(for: code) + "\n"))
        return node
    }

    /// Counts a node that has joined by other means among the cells, or no longer.
    func adopt(_ node: Node) { cells.append(node) }
    func release(_ node: Node) { cells.removeAll { $0.name == node.name } }

    // MARK: what has to hold at the end

    /// Everybody syncs without faults; then nothing is unsent or held back, all digests and all rows are equal, and
    /// every store is whole.
    func settle(minimumRows: Int = 1, deep: Bool = true, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for cell in cells { cell.line?.disarm() }
        try centre.synced(sourceLocation: sourceLocation)
        for _ in 0..<2 { for cell in cells { try cell.synced(sourceLocation: sourceLocation) } }
        try centre.synced(sourceLocation: sourceLocation)
        let wanted = try centre.digests(sourceLocation: sourceLocation)
        #expect(!wanted.isEmpty, sourceLocation: sourceLocation)
        for node in nodes {
            let status = try node.status(sourceLocation: sourceLocation)
            for key in ["pendingChanges", "unsentChanges", "heldBlocks"] {
                #expect(status[key] as? Int == 0, "\(node.name) \(key)", sourceLocation: sourceLocation)
            }
            #expect(try node.digests() == wanted, "\(node.name)", sourceLocation: sourceLocation)
            let verified = try deep ? node.kenh("verify", "--deep") : node.kenh("verify")
            #expect(verified.status == 0, "\(node.name): \(verified)", sourceLocation: sourceLocation)
        }
        let checked = try check(minimumRows: minimumRows)
        #expect(checked.status == 0, "\(checked)", sourceLocation: sourceLocation)
    }

    func check(minimumRows: Int = 1) throws -> Outcome {
        try Child(
            "/usr/bin/env", ["python3", Checker.path, folder.path, "--min-rows", String(minimumRows)], in: centre.files
        ).wait()
    }

    /// Blocks in the centre's log.
    func loggedBlocks() throws -> Int {
        Int(try centre.sql("SELECT count(*) FROM log_entry WHERE kind = 1;", of: "log.db")) ?? -1
    }
}

/// Waits for what another process does.
enum Waiting {
    static func until(_ what: String, seconds: Int = 60, _ isDone: () throws -> Bool) throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while try !isDone() {
            guard ContinuousClock.now < deadline else { throw TestFailure("waited in vain until \(what)") }
            usleep(5000)
        }
    }
}
