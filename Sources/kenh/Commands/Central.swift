import ArgumentParser
import Foundation
import KenhHub
import KenhMerge
import KenhProgramme
import KenhProtocol
import KenhStore

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
              kenh central serve --organisations /srv/organisations
            """,
        subcommands: [
            Init.self, Serve.self, Cell.self, Device.self, Channel.self, Grant.self, Revoke.self, Role.self,
            Quarantine.self, Erase.self, Erasure.self, Deletion.self, Key.self, Restore.self, Snapshot.self,
            Archive.self, Organisation.self,
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
