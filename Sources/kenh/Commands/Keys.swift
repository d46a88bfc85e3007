import ArgumentParser
import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhSettings
import KenhStore

extension Central {
    struct Key: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The keys with which the centre signs.",
            discussion: """
                EXAMPLES
                  kenh central key list --home /srv/kenh
                  kenh central key rotate --root-key /media/stick/root.key --home /srv/kenh
                """,
            subcommands: [List.self, Rotate.self])

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List the centre's keys, that of now first.",
                discussion: "EXAMPLES\n  kenh central key list --home /srv/kenh")

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions

            private struct Line: Encodable {
                let key: String
                let fromMilliseconds: Int64
                let untilMilliseconds: Int64
            }

            func run() async throws {
                let home = try home.resolve()
                let (store, _, _) = try home.openCentre()
                let lines = try home.certificates(store).all.map {
                    Line(
                        key: $0.servingKey.bytes.hex, fromMilliseconds: $0.notBeforeMilliseconds,
                        untilMilliseconds: $0.notAfterMilliseconds)
                }
                try output.print(lines) {
                    lines.enumerated().map { number, line in
                        "\(line.key.prefix(16))  from \(Instant.text(line.fromMilliseconds)) until "
                            + "\(Instant.text(line.untilMilliseconds))\(number == 0 ? "  in use" : "  replaced")"
                    }.joined(separator: "\n")
                }
            }
        }

        struct Rotate: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Give the centre a new key, certified by the organisation's root key.",
                discussion: """
                    EXAMPLES
                      kenh central key rotate --root-key /media/stick/root.key --home /srv/kenh

                    For when the key's time is over, or somebody else may have read it. Cells take the new key up at their
                    next sync, by the root key that they know since they joined; one that was away for a year does, too. A
                    centre that is serving goes on with the new key at once. Cut short, the same command finishes it.
                    """)

            @OptionGroup var home: HomeOptions
            @OptionGroup var output: OutputOptions
            @Option(help: ArgumentHelp("File of the organisation's root key.", valueName: "file"))
            var rootKey: String

            func run() async throws {
                let home = try home.resolve()
                let key = try KeyRotation(home: home, root: try SecretFile.read(rootKey)).run()
                try output.print(["key": key.bytes.hex]) {
                    """
                    The centre signs with the key \(key.bytes.hex.prefix(16)) from now on. Make a backup of \(home.path) today:
                    an older one has the old key, which cells that have seen the new one do not believe.
                    Take the root key off line again.
                    """
                }
            }
        }
    }
}

/// Changes the centre's serving key: first the new key's file, then the store's word for it, then the log's.
private struct KeyRotation {
    let home: Home
    let root: SigningKey

    func run() throws -> PublicKey {
        let store = try home.openStore()
        guard try home.role(store) == .centre else {
            throw Failure(.configuration, "\(home.path) is a cell's home; its own key is replaced by kenh key rotate")
        }
        let known = try home.certificates(store)
        guard root.publicKey == known.root else {
            throw Failure(
                .badData, "this is not the root key of this organisation; give the file that kenh central init made")
        }
        // Finishes what was cut short before.
        _ = try home.hub(store)
        var random: any RandomNumberGenerator = SystemRandomNumberGenerator()
        let key = try SecretFile.readOrMake(SecretFile.next(home.servingKeyPath), using: &random)
        let now = Store.wallClock()
        let begins = max(now, known.newest.notBeforeMilliseconds + 1)
        let certificate = try ServingCertificate(
            organisation: root.publicKey.organisationFingerprint, servingKey: key.publicKey,
            notBeforeMilliseconds: begins, notAfterMilliseconds: begins + CentreSetup.certificateMilliseconds,
            name: known.newest.name
        ).signed(by: root)
        try store.keep(known.joined(with: [certificate]))
        let hub = try home.hub(store)
        try CentreView(store: store, hub: hub, identity: try home.identity(store)).catchUp()
        return key.publicKey
    }
}

struct Key: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "This device's own key.",
        discussion: "EXAMPLES\n  kenh key rotate --home ~/kenh",
        subcommands: [Rotate.self])

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give this device a new key, and end the old one.",
            discussion: """
                EXAMPLES
                  kenh key rotate --home ~/kenh

                For when somebody else may have read device.key, or there may be another copy of this folder: whoever has
                the old key is let in no more. Needs the centre. Everything is sent under the old key first. Cut short, the
                same command finishes it.
                """)

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions

        func run() async throws {
            let home = try home.resolve()
            let cell = try CellHome(home, settings: try Settings(home: home))
            let key = try DeviceKeyRotation(home: home, cell: cell).run()
            try output.print(["key": key.bytes.hex]) {
                "This device signs with the key \(key.bytes.hex.prefix(16)) from now on; the old one is ended."
            }
        }
    }
}

/// Changes a cell's device key: it is made, then entered at the centre by the old one's signature, then taken up by the
/// store once nothing is left that only the old one signed; its first sync ends the old one.
private struct DeviceKeyRotation {
    let home: Home
    let cell: CellHome

    private static let attempts = 5

    func run() throws -> PublicKey {
        try sync()
        let (store, identity) = (cell.store, try home.identity(cell.store))
        var random: any RandomNumberGenerator = SystemRandomNumberGenerator()
        let key = try SecretFile.readOrMake(SecretFile.next(home.deviceKeyPath), using: &random)
        let replica = ReplicaID.random(using: &random)
        _ = try cell.client(key).replace(
            identity.key, replica: replica, deviceName: "", centre: try home.certificates(store).keys.current,
            organisation: identity.organisation)
        for _ in 0..<Self.attempts {
            guard try !store.switchDevice(to: key.publicKey, replica: replica) else {
                try sync()
                return key.publicKey
            }
            // Somebody wrote, and a sync sealed it, in between.
            try sync()
        }
        throw Failure(
            .refused,
            "some of what this device wrote does not get through (kenh status); the old key stays, try again later")
    }

    private func sync() throws {
        let report = try cell.sync().run()
        guard report.refusals.isEmpty else {
            throw Failure(
                .refused, "the centre refused a block: \(report.refusals[0]); run kenh verify, then ask the centre")
        }
    }
}
