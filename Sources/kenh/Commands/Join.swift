import ArgumentParser
import Foundation
import KenhCell
import KenhMerge
import KenhProgramme
import KenhProtocol
import KenhSettings
import KenhStore

struct Join: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Join an organisation with a one-time code.",
        discussion: """
            EXAMPLES
              kenh join http://centre.example:7370 --home ~/kenh
              kenh join http://centre.example:7370 --home ~/kenh --code-file code.txt
              echo "$CODE" | kenh join http://centre.example:7370 --home ~/kenh

            The code is never sent: the centre proves that it made the code before the device proves that it has it.
            """)

    @OptionGroup var home: HomeOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "Address of the centre.")
    var url: String
    @Option(help: ArgumentHelp("Read the code from a file.", valueName: "file"))
    var codeFile: String?
    @Option(help: "Name of this device, for people.")
    var deviceName: String?

    func run() async throws {
        let home = try home.resolve()
        let settings = try Settings(home: home)
        let joining = try Joining(home: home, url: url, settings: settings)
        let code = try EnrolmentCode(typed: try readCode())
        let cell = try joining.join(code: code, deviceName: deviceName ?? ProcessInfo.processInfo.hostName)
        try output.print(["cell": cell.code, "name": cell.name, "home": home.path]) {
            "Joined as \(cell.code) (\(cell.name)). Next: kenh daemon --home \(home.path)"
        }
    }

    private func readCode() throws -> String {
        if let codeFile {
            guard let data = FileManager.default.contents(atPath: codeFile) else {
                throw Failure(.noInput, "the code file \(codeFile) cannot be read; check --code-file")
            }
            // `kenh central device add CB1 > code.txt` writes advice under the code.
            return String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline).map(String.init)
                .first { !$0.allSatisfy(\.isWhitespace) } ?? ""
        }
        if isatty(STDIN_FILENO) == 1 { StandardError.write("Code: ") }
        guard let line = readLine(), !line.isEmpty else {
            throw Failure(.usage, "no code was given; type it, pipe it in, or use --code-file")
        }
        return line
    }
}

/// Enters this device at the centre. Nothing is made on disk before the centre has proved itself, and a join that was
/// cut short can be done again with the same code: device key and replica are kept from the first try.
struct Joining {
    let home: Home
    let url: String
    let transport: CurlTransport

    init(home: Home, url: String, settings: Settings) throws {
        self.home = home
        self.url = url
        guard try !home.hasRole() else {
            throw Failure(.badData, "\(home.path) has joined already; choose another --home")
        }
        do { transport = try CurlTransport(try settings.curl(baseURL: url)) } catch let error as TransportError
            where error.code == .invalidURL
        { throw Failure(.usage, error.message) }
    }

    func join(code: EnrolmentCode, deviceName: String) throws -> (code: String, name: String) {
        let (key, replica) = try draft()
        let client = CentreClient(transport: transport, key: key, organisation: nil, clock: Store.wallClock)
        let (centre, root, response) = try client.enroll(code: code, replica: replica, deviceName: deviceName) {
            try keep(key, replica)
        }
        let store = try Store(path: home.storePath, schema: Programme.schema)
        // The log may be signed by earlier keys of the centre's, too.
        try store.keep(
            ServingCertificates([response.servingCertificate], root: root).joined(
                with: try client.certificates(root: root).signed))
        try store.setFact("replica", .blob(replica.bytes))
        try store.setFact("centre_url", .text(url))
        try store.setFact("name", .text(centre.name))
        try store.setFact("cell", .text(response.cell))
        try store.setFact("cell_name", .text(response.cellName))
        try store.setFact("role", .text(Home.Role.cell.rawValue))
        return (response.cell, response.cellName)
    }

    private var replicaPath: String { home.path + "/joining" }

    /// Key and replica of an earlier try, or new ones.
    private func draft() throws -> (SigningKey, ReplicaID) {
        var random: any RandomNumberGenerator = SystemRandomNumberGenerator()
        let isKept = FileManager.default.fileExists(atPath: home.deviceKeyPath)
        let key = try isKept ? SecretFile.read(home.deviceKeyPath) : SigningKey(using: &random)
        let text = try? String(contentsOfFile: replicaPath, encoding: .utf8)
        let replica = text.flatMap { [UInt8](hex: $0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            .flatMap { ReplicaID(bytes: $0) }
        return (key, replica ?? .random(using: &random))
    }

    /// Written down before the code is used, since the centre gives the same answer only to the same key.
    private func keep(_ key: SigningKey, _ replica: ReplicaID) throws {
        try home.makeFolder()
        try (replica.bytes.hex + "\n").write(toFile: replicaPath, atomically: true, encoding: .utf8)
        if !FileManager.default.fileExists(atPath: home.deviceKeyPath) {
            try SecretFile.keep(key, at: home.deviceKeyPath)
        }
    }
}
