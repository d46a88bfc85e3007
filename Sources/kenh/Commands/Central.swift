import ArgumentParser
import Foundation
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProgramme
import KenhProtocol
import KenhSettings
import KenhStore
import Logging
import ServiceLifecycle
import UnixSignals

struct Central: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make and run a centre, and enter cells and devices.",
        discussion: """
            EXAMPLES
              kenh central init --home /srv/kenh --name "Công đoàn Trường"
              kenh central cell add CB3 --name "Chi bộ 3" --home /srv/kenh
              kenh central device add CB3 --home /srv/kenh
              kenh central grant CB3 plan/KH1 --role writer --home /srv/kenh
              kenh central device revoke laptop-CB3 --reason "stolen" --home /srv/kenh
              kenh central quarantine list --home /srv/kenh
              kenh central erase work_item:W1 --reason "asked on 3 May" --home /srv/kenh
              kenh central restore /media/disk/kenh-2026-11-20 --home /srv/kenh
              kenh central key rotate --root-key /media/stick/root.key --home /srv/kenh
              kenh central snapshot list --home /srv/kenh
              kenh central archive make --home /srv/kenh
              kenh central deletion list --home /srv/kenh
              kenh central serve --home /srv/kenh
            """,
        subcommands: [
            Init.self, Serve.self, Cell.self, Device.self, Channel.self, Grant.self, Revoke.self, Role.self,
            Quarantine.self, Erase.self, Erasure.self, Deletion.self, Key.self, Restore.self, Snapshot.self,
            Archive.self,
        ])

    struct Init: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a centre: its keys, its log and its tables.",
            discussion: """
                EXAMPLES
                  kenh central init --home /srv/kenh --name "Công đoàn Trường"
                  kenh central init --home /srv/kenh --closed

                Without --closed every cell reads and writes every channel that no grant says otherwise of. With it a cell
                has what it was granted, and nothing else (kenh central grant).

                Take keys/root.key off line afterwards: it is needed only to certify a new serving key.
                """)

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions
        @Option(help: "Name of the organisation, for people.")
        var name = "Kenh"
        @Flag(help: "Let no cell read or write anything that it was not granted.")
        var closed = false

        func run() async throws {
            let home = try home.resolve()
            guard try !home.hasRole() else {
                throw Failure(.badData, "there is a store at \(home.path) already; choose another --home")
            }
            let organisation = try CentreSetup(home: home, name: name).make()
            if closed {
                let (_, hub, view) = try home.openCentre()
                try hub.grant("none", to: "*", in: "*")
                try view.catchUp()
            }
            try output.print(["home": home.path, "organisation": organisation.bytes.hex]) {
                """
                Made a centre for “\(name)” at \(home.path).
                Take \(home.rootKeyPath) off line, then:
                  kenh central cell add CB1 --name NAME --home \(home.path)
                  kenh central device add CB1 --home \(home.path)
                  kenh central serve --home \(home.path)
                """
            }
        }
    }

    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Serve the cells until told to stop (SIGTERM or Control-C).",
            discussion: """
                EXAMPLES
                  kenh central serve --home /srv/kenh
                  kenh central serve --home /srv/kenh --host 0.0.0.0 --port 7370
                  kenh central serve --home /srv/kenh --host 0.0.0.0 --port 443 \\
                      --tls-certificate /etc/kenh/fullchain.pem --tls-key /etc/kenh/privkey.pem

                With a certificate it speaks HTTPS by itself; start it again after the certificate was renewed. Without one
                put a proxy that speaks HTTPS before it: requests and answers are signed either way, but who is on the line
                could read them. Cells trust the system's authorities, or those in the file that KENH_HTTP_CA names.

                It makes snapshots of channels for new devices, and once a day makes deletions final and moves old blocks
                into archives (kenh central snapshot, deletion, archive).
                """)

        @OptionGroup var home: HomeOptions
        @Option(help: "Address to listen on (127.0.0.1).")
        var host: String?
        @Option(help: "Port to listen on (7370); 0 takes a free one.")
        var port: Int?
        @Option(help: ArgumentHelp("PEM file of the certificate, to speak HTTPS.", valueName: "file"))
        var tlsCertificate: String?
        @Option(help: ArgumentHelp("PEM file of its private key.", valueName: "file"))
        var tlsKey: String?
        @Option(help: ArgumentHelp("Write the port into this file once it is open.", visibility: .hidden))
        var portFile: String?

        func validate() throws {
            guard port.map(Settings.ports.contains) ?? true else {
                throw ValidationError("--port is a number from 0 to 65535")
            }
        }

        func run() async throws {
            let home = try home.resolve()
            var flags: [String: String] = [:]
            flags["kenh.listen.host"] = host
            flags["kenh.listen.port"] = port.map(String.init)
            flags["kenh.tls.certificate"] = tlsCertificate
            flags["kenh.tls.key"] = tlsKey
            let settings = try Settings(home: home, flags: flags)
            var options = CentreServer.Options()
            options.host = try settings.string("listen.host") ?? options.host
            options.port = try settings.int("listen.port", in: Settings.ports, default: options.port)
            options.tls = try Self.tls(settings)
            options.upkeep = try Self.upkeep(home, settings)
            let (_, hub, view) = try home.openCentre()
            let lock = try HomeLock(home)
            defer { withExtendedLifetime(lock) {} }
            let logger = Log.make("kenh.centre")
            let files = options.connectionLimit + options.wake.streamLimit + 256
            let allowed = OpenFiles.allow(files)
            if allowed < files {
                logger.notice(
                    "the system lets this process open fewer files than many cells need; raise it (ulimit -n)",
                    metadata: ["open": "\(allowed)", "wanted": "\(files)"])
            }
            let blobs = try home.blobs(of: hub, settings, logger)
            let portFile = portFile
            let server = CentreServer(
                hub: hub, view: view, blobs: blobs, options: options, logger: logger
            ) { port in
                logger.info("serving", metadata: ["port": "\(port)"])
                if let portFile { try? "\(port)\n".write(toFile: portFile, atomically: true, encoding: .utf8) }
            }
            try await ServiceGroup(
                services: [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
            ).run()
        }

        private static func upkeep(_ home: Home, _ settings: Settings) throws -> UpkeepOptions {
            var options = UpkeepOptions(folder: home.path)
            func days(_ key: String, _ usual: Int) throws -> Int64 {
                Int64(try settings.int(key, in: Settings.days, default: usual)) * 86_400_000
            }
            options.snapshotAgeMilliseconds = try days("snapshots.age", 7)
            options.patienceMilliseconds = try days("deletions.patience", 366)
            options.archiveAgeMilliseconds = try days("archives.age", 365)
            options.archives = home.archives
            return options
        }

        private static func tls(_ settings: Settings) throws -> TLSFiles? {
            let (certificate, key) = (try settings.string("tls.certificate"), try settings.string("tls.key"))
            switch (certificate, key) {
            case (nil, nil): return nil
            case (let certificate?, let key?): return TLSFiles(certificatePath: certificate, keyPath: key)
            default: throw Failure(.usage, "HTTPS takes both --tls-certificate and --tls-key; give the other one, too")
            }
        }
    }

    struct Cell: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Cells of the organisation.",
            discussion: "EXAMPLES\n  kenh central cell add CB3 --name \"Chi bộ 3\" --home /srv/kenh",
            subcommands: [Add.self])

        struct Add: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Enter a cell.",
                discussion: "EXAMPLES\n  kenh central cell add CB3 --name \"Chi bộ 3\" --home /srv/kenh")

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions
            @Argument(help: "Code of the cell, such as CB3.")
            var code: String
            @Option(help: "Name of the cell, for people.")
            var name: String?

            func run() async throws {
                let (_, hub, view) = try home.resolve().openCentre()
                try hub.addCell(code: code, name: name ?? code)
                try view.catchUp()
                try output.print(["cell": code]) { "Entered \(code). Next: kenh central device add \(code)" }
            }
        }
    }

    struct Device: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Devices of cells.",
            discussion: """
                EXAMPLES
                  kenh central device add CB3 --home /srv/kenh
                  kenh central device list --home /srv/kenh
                  kenh central device revoke laptop-CB3 --reason "stolen" --home /srv/kenh
                """,
            subcommands: [Add.self, List.self, Revoke.self])

        struct Add: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Print a one-time code with which a device of the cell can join.",
                discussion: """
                    EXAMPLES
                      kenh central device add CB3 --home /srv/kenh

                    The code is good for seven days and one device. Carry it on paper or by telephone.
                    """)

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions
            @Argument(help: "Code of the cell.")
            var cell: String

            func run() async throws {
                let (_, hub, _) = try home.resolve().openCentre()
                let code = try hub.issueCode(cell: cell)
                try output.print(["cell": cell, "code": code.text]) {
                    "\(code.text)\n\nOn the device of \(cell): kenh join URL --home DIR   (good for 7 days, once)"
                }
            }
        }
    }
}

/// Makes a centre's folder: keys first, the store's role last, so that what was cut short is not taken for a centre, and
/// can be done again.
struct CentreSetup {
    static let certificateMilliseconds: Int64 = 10 * 366 * 86_400_000

    let home: Home
    let name: String

    func make() throws -> Hash256 {
        var random: any RandomNumberGenerator = SystemRandomNumberGenerator()
        try home.makeFolder()
        try home.makeFolder("keys")
        let root = try SecretFile.readOrMake(home.rootKeyPath, using: &random)
        let serving = try SecretFile.readOrMake(home.servingKeyPath, using: &random)
        _ = try SecretFile.readOrMake(home.deviceKeyPath, using: &random)
        let organisation = root.publicKey.organisationFingerprint
        let now = Store.wallClock()
        let certificate = try ServingCertificate(
            organisation: organisation, servingKey: serving.publicKey, notBeforeMilliseconds: now,
            notAfterMilliseconds: now + Self.certificateMilliseconds, name: name
        ).signed(by: root)
        let store = try Store(path: home.storePath, schema: Programme.schema)
        try store.keep(ServingCertificates([certificate], root: root.publicKey))
        try store.setFact("replica", .blob(ReplicaID.random(using: &random).bytes))
        try store.setFact("name", .text(name))
        try store.setFact("role", .text(Home.Role.centre.rawValue))
        return organisation
    }
}
