import Foundation
import Testing

/// HTTPS by the centre itself, with certificates that are good and others that are not.
@Suite("TLS") struct TLSTests {
    private let organisation: Organisation
    private let certificates: URL

    init() throws {
        organisation = try Organisation([])
        certificates = organisation.folder.appendingPathComponent("certificates")
        try FileManager.default.createDirectory(at: certificates, withIntermediateDirectories: true)
        let maker = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("make_certificates.py").path
        let made = try Child(
            Python.command[0], Python.command.dropFirst() + [maker, certificates.path], in: organisation.centre.files
        ).wait()
        #expect(made.status == 0, "\(made)")
        organisation.stopCentre()
    }

    private func path(_ file: String) -> String { certificates.appendingPathComponent(file).path }

    private func serve(_ name: String) throws {
        try organisation.startCentre(["--tls-certificate", path("\(name).pem"), "--tls-key", path("\(name).key")])
    }

    private func join(_ cell: String, host: String = "localhost", trusting authority: String = "authority") throws -> (
        node: Node, outcome: Outcome
    ) {
        let node = try organisation.prepare(cell)
        let outcome = try node.kenh(
            "join", "https://\(host):\(organisation.port)", input: try organisation.code(for: cell) + "\n",
            environment: ["KENH_HTTP_CA": path("\(authority).pem")])
        return (node, outcome)
    }

    @Test("a cell joins and syncs by name and by address")
    func good() throws {
        try serve("good")
        for (cell, host) in [("CB1", "localhost"), ("CB2", "127.0.0.1")] {
            let (node, joined) = try join(cell, host: host)
            #expect(joined.status == 0, "\(joined)")
            let synced = try node.kenh("sync", environment: ["KENH_HTTP_CA": path("authority.pem")])
            #expect(synced.status == 0, "\(synced)")
        }
    }

    @Test(
        "a cell talks to nobody who does not prove who they are, and says why",
        arguments: [
            ("stranger", "authority", "certificate"), ("elsewhere", "authority", "name"),
            ("good", "unknown", "certificate"),
        ])
    func refused(_ certificate: String, _ authority: String, _ word: String) throws {
        try serve(certificate)
        let (node, outcome) = try join("CB1", trusting: authority)
        #expect(outcome.status == 69 && outcome.hasOneLineError, "\(outcome)")
        #expect(outcome.errors.contains("does not prove who it is") && outcome.errors.contains(word), "\(outcome)")
        #expect(node.files().isEmpty, "nothing was made")
    }

    @Test("the system's authorities do not know the test's")
    func systemAuthorities() throws {
        try serve("good")
        let node = try organisation.prepare("CB1")
        let outcome = try node.kenh(
            "join", "https://localhost:\(organisation.port)", input: try organisation.code(for: "CB1") + "\n")
        #expect(outcome.status == 69 && outcome.errors.contains("authorities trusted here"), "\(outcome)")
        let missing = try node.kenh(
            "join", "https://localhost:\(organisation.port)", input: "x\n",
            environment: ["KENH_HTTP_CA": path("nothing.pem")])
        #expect(missing.status != 0 && missing.hasOneLineError, "\(missing)")
    }

    @Test("neither speaks plainly where the other wants HTTPS")
    func mixed() throws {
        try serve("good")
        let node = try organisation.prepare("CB1")
        let code = try organisation.code(for: "CB1") + "\n"
        let plain = try node.kenh("join", "http://localhost:\(organisation.port)", input: code)
        #expect(plain.status == 69 && plain.hasOneLineError, "\(plain)")
        organisation.stopCentre()
        try organisation.startCentre()
        let secure = try node.kenh("join", "https://localhost:\(organisation.port)", input: code)
        #expect(secure.status == 69 && secure.errors.contains("check that this port speaks HTTPS"), "\(secure)")
    }

    @Test(
        "a centre does not serve with a certificate that every cell would refuse, and says what to do",
        arguments: [
            ("over.pem", "over.key", "is over since"), ("later.pem", "later.key", "check this machine's clock"),
            ("good.pem", "over.key", "does not belong to the certificate"),
            ("nothing.pem", "good.key", "--tls-certificate"), ("good.pem", "nothing.key", "--tls-key"),
            ("good.key", "good.key", "--tls-certificate"), ("good.pem", "good.pem", "--tls-key"),
        ])
    func unfit(_ certificate: String, _ key: String, _ words: String) throws {
        let outcome = try organisation.centre.kenh(
            "central", "serve", "--port", "0", "--tls-certificate", path(certificate), "--tls-key", path(key))
        #expect(outcome.status == 78 && outcome.hasOneLineError && outcome.errors.contains(words), "\(outcome)")
    }

    @Test("both files are needed")
    func half() throws {
        let outcome = try organisation.centre.kenh("central", "serve", "--port", "0", "--tls-key", path("good.key"))
        #expect(outcome.status == 64 && outcome.errors.contains("--tls-certificate"), "\(outcome)")
    }
}
