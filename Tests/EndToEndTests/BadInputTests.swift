import Foundation
import Testing

/// What people get wrong: each is said in one line with what to do next, has its exit code, and changes nothing.
@Suite("What people get wrong")
struct BadInputTests {
    private let organisation: Organisation

    init() throws { organisation = try Organisation(["CB1"]) }

    private var cell: Node { organisation["CB1"] }

    private func expect(
        _ outcome: Outcome, _ status: Int32, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(outcome.status == status && outcome.hasOneLineError, "\(outcome)", sourceLocation: sourceLocation)
        for word in words { #expect(outcome.errors.contains(word), "\(outcome)", sourceLocation: sourceLocation) }
    }

    private func makeHome(_ name: String) throws -> Node {
        let home = organisation.folder.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
        return Node(name: name, home: home, files: cell.files, line: nil)
    }

    /// No folder and no file stands where the home would be.
    private func isUntouched(_ node: Node) -> Bool { !FileManager.default.fileExists(atPath: node.home.path) }

    // MARK: joining

    @Test("codes that are wrong, mistyped, used, or of another organisation")
    func codes() throws {
        let node = try organisation.prepare("CB9")
        let url = try #require(node.line).url
        let good = try organisation.code(for: "CB9")
        expect(try node.kenh("join", url, input: "ABC\n"), 65, "34 letters", "Type the whole code")
        let mistyped = good.prefix(3) + (good.dropFirst(3).prefix(1) == "7" ? "8" : "7") + good.dropFirst(4)
        expect(try node.kenh("join", url, input: "\(mistyped)\n"), 65, "mistyped")
        expect(try node.kenh("join", url, input: "ĐẢNG-\(good)\n"), 65, "letters and digits")
        expect(try node.kenh("join", url, input: "\n"), 64, "no code was given")
        expect(try node.kenh("join", url), 64, "no code was given")
        expect(try node.kenh("join", url, "--code-file", "/nowhere"), 66, "/nowhere")
        let other = try Organisation([])
        expect(try node.kenh("join", url, input: try other.code(for: "CB1")), 77, "not the one that made the code")
        #expect(isUntouched(node))
        let unknown = try forgotten(good)
        expect(try node.kenh("join", url, input: unknown), 77, "does not know this code")
        #expect(try node.kenh("join", url, input: good).status == 0)
        let second = try organisation.prepare("CB8")
        expect(try second.kenh("join", try #require(second.line).url, input: good), 77, "used by another device")
        expect(try node.kenh("join", url, input: good), 65, "joined already")
        #expect(!FileManager.default.fileExists(atPath: second.database))
    }

    /// A code of this organisation that the centre has lost.
    private func forgotten(_ other: String) throws -> String {
        let code = try organisation.code(for: "CB7")
        try organisation.centre.sql("DELETE FROM registry_code WHERE cell = 'CB7';", of: "log.db")
        return code
    }

    @Test("a code that is older than its seven days")
    func expiredCode() throws {
        let node = try organisation.prepare("CB9")
        let code = try organisation.code(for: "CB9")
        try organisation.centre.sql("UPDATE registry_code SET expires_at = 1;", of: "log.db")
        expect(try node.kenh("join", try #require(node.line).url, input: code), 77, "older than seven days")
        #expect(!FileManager.default.fileExists(atPath: node.database))
    }

    @Test("addresses at which no centre is")
    func addresses() throws {
        let node = try organisation.prepare("CB9")
        let code = try organisation.code(for: "CB9")
        func join(_ url: String) throws -> Outcome { try node.kenh("join", url, input: code) }
        let (closed, port) = try Loopback.listen()
        close(closed)
        expect(try join("http://127.0.0.1:\(port)"), 69, "connection refused", "kenh central serve")
        expect(try join("http://no-such-host.invalid:7370"), 69, "check")
        expect(try join("ftp://127.0.0.1"), 64, "neither http nor https")
        expect(try join("centre"), 64, "write it like")
        expect(try join("http://[::1"), 64, "write it like")
        let talker = try Talker("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
        expect(try join("http://127.0.0.1:\(talker.port)"), 69, "check")
        let web = try WebServer(in: cell.files)
        expect(try join("http://127.0.0.1:\(web.port)"), 77, "check the URL")
        let liar = try Talker("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        expect(try join("http://127.0.0.1:\(liar.port)"), 77, "check the URL")
        #expect(isUntouched(node))
        cell.line?.retarget(web.port)
        expect(try cell.sync(), 77, "check the URL")
        cell.line?.retarget(liar.port)
        expect(try cell.sync(), 77, "check the URL")
    }

    @Test("a join that is cut short is done again with the same code")
    func joinIsRepeated() throws {
        let node = try organisation.prepare("CB9")
        let line = try #require(node.line)
        let code = try organisation.code(for: "CB9")
        line.arm(.down, at: 0, .keepBack)
        expect(try node.kenh("join", line.url, input: code), 69)
        #expect(line.disarm())
        let (asked, answered) = (line.passed(.up).count, line.passed(.down).count)
        // Twice two messages: who is there, and the code's proof.
        for (direction, whole) in [(Line.Direction.up, asked), (.down, answered)] {
            for place in [0, 1, whole / 2, whole - 1, whole, whole + whole / 2] {
                line.arm(direction, at: place, .cut)
                expect(try node.kenh("join", line.url, input: code), 69)
                #expect(line.disarm())
            }
        }
        #expect(
            try organisation.centre.sql("SELECT used_by IS NULL FROM registry_code WHERE cell = 'CB9';", of: "log.db")
                == "0")
        let joined = try node.kenh("join", line.url, input: code)
        #expect(joined.status == 0, "\(joined)")
        #expect(try node.sync().status == 0)
    }

    // MARK: homes

    @Test("homes that are none")
    func homes() throws {
        for command in ["status", "sync", "daemon", "verify", "conflicts"] {
            let nowhere = Node(name: "", home: URL(fileURLWithPath: "/nowhere/kenh"), files: cell.files, line: nil)
            expect(try nowhere.kenh(command), 66, "/nowhere/kenh", "kenh join")
        }
        let empty = try makeHome("empty")
        expect(try empty.sync(), 66, "kenh join")
        #expect(empty.files().isEmpty)
        let unjoined = try makeHome("unjoined")
        try organisation.cells[0].sql("VACUUM INTO '\(unjoined.database)';")
        try unjoined.sql("DELETE FROM kenh_meta WHERE key = 'role';")
        for command in ["status", "sync", "daemon"] { expect(try unjoined.kenh(command), 78, "kenh join") }
    }

    @Test("files that are no store, or another's, or a newer version's, and stay as they are")
    func files() throws {
        let text = try makeHome("text")
        try Data("Đây không phải là cơ sở dữ liệu.".utf8).write(to: URL(fileURLWithPath: text.database))
        let foreign = try makeHome("foreign")
        try foreign.sql("CREATE TABLE note(text); INSERT INTO note VALUES('của tôi');")
        let newer = try makeHome("newer")
        try cell.sql("VACUUM INTO '\(newer.database)';")
        try newer.sql("PRAGMA user_version = 99;")
        let url = try #require(cell.line).url
        let code = try organisation.code(for: "CB9")
        for (node, words) in [(text, "no SQLite database"), (foreign, "not a store of Kenh's"), (newer, "newer Kenh")] {
            let before = node.files()
            for command in ["status", "sync", "daemon", "verify", "conflicts"] {
                expect(try node.kenh(command), 65, words)
            }
            expect(try node.kenh("history", "work_item", "A"), 65, words)
            expect(try node.kenh("join", url, input: code), 65, words)
            expect(try node.kenh("central", "serve", "--port", "0"), 65, words)
            #expect(node.files() == before, "\(node.name) was changed")
        }
    }

    @Test("a cell's home where the centre's is needed, and the reverse, and things that are not there")
    func wrongRole() throws {
        let before = cell.files()
        expect(try cell.kenh("central", "serve", "--port", "0"), 78, "cell's home")
        expect(try cell.kenh("central", "cell", "add", "CB9"), 78, "cell's home")
        expect(try cell.kenh("central", "device", "add", "CB1"), 78, "cell's home")
        expect(try cell.kenh("central", "init"), 65, "already")
        expect(try organisation.centre.kenh("daemon"), 78, "centre's home")
        expect(try organisation.centre.kenh("central", "init"), 65, "already")
        expect(try organisation.centre.kenh("central", "cell", "add", "CB1"), 65, "already")
        expect(try organisation.centre.kenh("central", "cell", "add", "CB 1"), 65, "no code for a cell")
        expect(try organisation.centre.kenh("central", "device", "add", "CB99"), 66, "kenh central cell add")
        expect(try cell.kenh("history", "work_item", "nowhere"), 66, "check the id")
        expect(try cell.kenh("history", "no_table", "A"), 66, "no_table")
        expect(try cell.kenh("conflicts", "resolve", "work_item", "A", "title", "--keep"), 66, "kenh conflicts")
        expect(try cell.kenh("conflicts", "resolve", "no_table", "A", "title", "--keep"), 66, "no_table")
        expect(try cell.kenh("conflicts", "--table", "no_table"), 66, "no_table")
        #expect(cell.files() == before)
    }

    @Test("a port that is taken, and hosts that this machine is not")
    func listening() throws {
        // One that nobody serves yet.
        let home = organisation.folder.appendingPathComponent("idle")
        let centre = Node(name: "idle", home: home, files: cell.files, line: nil)
        try organisation.expectSuccess(centre.kenh("central", "init"))
        expect(
            try organisation.centre.kenh("central", "serve", "--port", "0"), 75, "another process", "stop that first")
        expect(try centre.kenh("central", "serve", "--port", String(organisation.port)), 69, "in use", "--port")
        expect(try centre.kenh("central", "serve", "--host", "192.0.2.1", "--port", "0"), 69, "--host")
        expect(try centre.kenh("central", "serve", "--host", "no-such-host.invalid", "--port", "0"), 69, "--host")
    }

    // MARK: settings and keys

    @Test("settings that cannot be read, and wrong values in them")
    func settings() throws {
        let path = cell.home.appendingPathComponent("kenh.yaml")
        func write(_ text: String) throws { try Data(text.utf8).write(to: path) }
        for text in ["kenh: [", "- a\n- b", "just text", "\u{0}\u{1}", "kenh: {a: b"] {
            try write(text)
            expect(try cell.sync(), 78, "kenh.yaml", "correct it")
            expect(try cell.kenh("daemon"), 78, "kenh.yaml", "correct it")
        }
        for value in ["soon", "15m", "0", "-5", "1.5", "99999999999999999999", "[900]"] {
            try write("kenh:\n  sync:\n    interval: \(value)\n")
            expect(try cell.kenh("daemon"), 78, "kenh.sync.interval", "correct it")
        }
        try write("kenh:\n  http:\n    proxy: \"http://[\"\n")
        expect(try cell.sync(), 78, "proxy")
        for text in ["", "\n", "# nothing yet\n", "other: 1\n"] {
            try write(text)
            #expect(try cell.sync().status == 0, "a file without settings is none: \(text)")
        }
        for port in ["http", "70000", "-1"] {
            let set = try organisation.centre.kenh("central", "serve", environment: ["KENH_LISTEN_PORT": port])
            expect(set, 78, "kenh.listen.port", "correct it")
        }
    }

    @Test("keys that are missing or damaged")
    func keys() throws {
        let key = cell.home.appendingPathComponent("device.key")
        let kept = try Data(contentsOf: key)
        for bytes in ["", "zz", String(repeating: "0", count: 62)] {
            try Data(bytes.utf8).write(to: key)
            expect(try cell.sync(), 65, "device.key", "restore it from a backup")
        }
        try FileManager.default.removeItem(at: key)
        expect(try cell.sync(), 66, "device.key", "restore it from a backup")
        try kept.write(to: key)
        #expect(try cell.sync().status == 0)
    }

    @Test("a centre that is down, and a store that another program holds")
    func downAndBusy() throws {
        let before = cell.files()
        organisation.stopCentre()
        expect(try cell.kenh("sync", environment: ["KENH_URL": organisation.address]), 69, "kenh central serve")
        expect(try cell.sync(), 69, "try again")
        #expect(cell.files() == before)
        let hold = """
            import sqlite3, sys, time
            held = sqlite3.connect(sys.argv[1], isolation_level=None)
            held.execute("BEGIN EXCLUSIVE")
            print("held", flush=True)
            sys.stdin.read()
            time.sleep(600)
            """
        let holder = organisation.keep(
            try Child("/usr/bin/env", ["python3", "-c", hold, cell.database], in: cell.files))
        try Waiting.until("the store is held") { holder.outputSoFar == "held\n" }
        expect(try cell.kenh("status"), 75, "again")
        holder.send(SIGKILL)
        _ = holder.wait()
        #expect(try cell.kenh("status").status == 0)
    }
}
