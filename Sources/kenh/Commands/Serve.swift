import ArgumentParser
import Foundation
import KenhHTTP
import KenhHub
import KenhMerge
import KenhProtocol
import KenhSettings
import KenhStore
import Logging
import ServiceLifecycle
import UnixSignals

extension Central {
    struct Serve: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Serve the cells until told to stop (SIGTERM or Control-C).",
            discussion: """
                EXAMPLES
                  kenh central serve --home /srv/kenh
                  kenh central serve --home /srv/kenh --host 0.0.0.0 --port 7370
                  kenh central serve --home /srv/kenh --host 0.0.0.0 --port 443 \\
                      --tls-certificate /etc/kenh/fullchain.pem --tls-key /etc/kenh/privkey.pem
                  kenh central serve --organisations /srv/organisations

                With a certificate it speaks HTTPS by itself; start it again after the certificate was renewed. Without one
                put a proxy that speaks HTTPS before it: requests and answers are signed either way, but who is on the line
                could read them. Cells trust the system's authorities, or those in the file that KENH_HTTP_CA names.

                It makes snapshots of channels for new devices, and once a day makes deletions final and moves old blocks
                into archives (kenh central snapshot, deletion, archive).

                With --organisations each folder in that folder is a centre's home of its own, made by kenh central init, and
                is served under its name: the cells of /srv/organisations/cdt join https://centre.example/cdt. Names have
                lowercase letters, digits and hyphens. One whose home is damaged or in use is named in the log and answers
                503; the others go on. SIGHUP looks again: for new folders, for those that are gone, and for those that could
                not be served. The address and the certificate are set in kenh.yaml of that folder, the rest in each home's.
                """)

        @OptionGroup var home: HomeOptions
        @Option(help: ArgumentHelp("Serve each centre's home in this folder, under its name.", valueName: "dir"))
        var organisations: String?
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
            guard home.home == nil || organisations == nil else {
                throw ValidationError("give --home for one organisation, or --organisations for several")
            }
        }

        func run() async throws {
            let logger = Log.make("kenh.centre")
            guard let organisations else { return try await serveOne(try home.resolve(), logger) }
            try await serve(OrganisationFolder(path: organisations, logger: logger), logger)
        }

        private func serveOne(_ home: Home, _ logger: Logger) async throws {
            let settings = try settings(home)
            var options = try options(settings)
            let parts = try home.parts(settings, logger)
            options.upkeep = parts.upkeep
            allowFiles(options.connectionLimit + options.wake.streamLimit + 256, logger)
            let server = CentreServer(
                hub: parts.hub, view: parts.view, blobs: parts.blobs, options: options, logger: logger,
                onServing: tell(logger))
            try await run([server], logger)
            withExtendedLifetime(parts) {}
        }

        private func serve(_ folder: OrganisationFolder, _ logger: Logger) async throws {
            let options = try options(try settings(Home(path: folder.path)))
            let organisations = Organisations(folder.source(), options: options, logger: logger)
            // Before anything that takes long: one that nobody waits for would end the process.
            let hangUps = await UnixSignalsSequence(trapping: .sighup)
            let reload: @Sendable () throws -> Void = {
                // For the homes' files; its limit cannot be known before they are open.
                let homes = (try? folder.all().count) ?? 0
                allowFiles(options.connectionLimit + options.wake.streamLimit + 256 + 16 * homes, logger)
                try organisations.reload()
            }
            try reload()
            let server = OrganisationsServer(
                organisations, options: options, logger: logger, onServing: tell(logger))
            try await run([server, ReloadOnHangUp(signals: hangUps, reload: reload, logger: logger)], logger)
        }

        private func run(_ services: [any Service], _ logger: Logger) async throws {
            try await ServiceGroup(
                services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
            ).run()
        }

        private func settings(_ home: Home) throws -> Settings {
            var flags: [String: String] = [:]
            flags["kenh.listen.host"] = host
            flags["kenh.listen.port"] = port.map(String.init)
            flags["kenh.tls.certificate"] = tlsCertificate
            flags["kenh.tls.key"] = tlsKey
            return try Settings(home: home, flags: flags)
        }

        private func options(_ settings: Settings) throws -> CentreServer.Options {
            var options = CentreServer.Options()
            options.host = try settings.string("listen.host") ?? options.host
            options.port = try settings.int("listen.port", in: Settings.ports, default: options.port)
            let (certificate, key) = (try settings.string("tls.certificate"), try settings.string("tls.key"))
            switch (certificate, key) {
            case (nil, nil): break
            case (let certificate?, let key?): options.tls = TLSFiles(certificatePath: certificate, keyPath: key)
            default: throw Failure(.usage, "HTTPS takes both --tls-certificate and --tls-key; give the other one, too")
            }
            return options
        }

        private func allowFiles(_ files: Int, _ logger: Logger) {
            let allowed = OpenFiles.allow(files)
            guard allowed < files else { return }
            logger.notice(
                "the system lets this process open fewer files than many cells need; raise it (ulimit -n)",
                metadata: ["open": "\(allowed)", "wanted": "\(files)"])
        }

        private func tell(_ logger: Logger) -> @Sendable (Int) -> Void {
            { [portFile] port in
                logger.info("serving", metadata: ["port": "\(port)"])
                if let portFile { try? "\(port)\n".write(toFile: portFile, atomically: true, encoding: .utf8) }
            }
        }
    }

    struct Organisation: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Organisations that one process serves.",
            discussion: "EXAMPLES\n  kenh central organisation list /srv/organisations",
            subcommands: [List.self], defaultSubcommand: List.self)

        struct List: AsyncParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List the centres' homes in a folder, and whether each is being served.",
                discussion: """
                    EXAMPLES
                      kenh central organisation list /srv/organisations
                    """)

            @OptionGroup var output: OutputOptions
            @Argument(help: ArgumentHelp("The folder that kenh central serve --organisations has.", valueName: "dir"))
            var folder: String

            private struct Line: Encodable {
                let name: String
                let organisation: String
                let fingerprint: String
                /// Those that have a device.
                let cells: Int
                let bytes: Int
                let isServed: Bool
                /// Why it cannot be served.
                let problem: String?

                var text: String {
                    guard let problem else {
                        return "\(name)  \(organisation), \(fingerprint.prefix(16)), cells with devices: \(cells), "
                            + "\(bytes >> 20) MB, \(isServed ? "served" : "not served")"
                    }
                    return "\(name)  \(problem)"
                }
            }

            func run() async throws {
                let folder = OrganisationFolder(path: folder, logger: Log.make("kenh.centre"))
                let lines = try folder.all().map { name in
                    let home = folder.home(name)
                    do {
                        guard Organisations.isName(name) else { throw Failure(.badData, OrganisationFolder.badName) }
                        guard FileManager.default.fileExists(atPath: home.logPath) else {
                            throw Failure(.noInput, "it has no log.db: it is a cell's home, or has lost its log")
                        }
                        let store = try home.openStore()
                        let certificates = try home.certificates(store)
                        return Line(
                            name: name, organisation: try store.fact("name").string ?? "",
                            fingerprint: certificates.root.organisationFingerprint.bytes.hex,
                            cells: Set(try home.hub(store).devices().map(\.cell)).subtracting([""]).count,
                            bytes: home.byteCount,
                            isServed: try HomeLock.isHeld(home), problem: nil)
                    } catch {
                        return Line(
                            name: name, organisation: "", fingerprint: "", cells: 0, bytes: home.byteCount,
                            isServed: false, problem: Failure(error).message)
                    }
                }
                try output.print(lines) {
                    lines.isEmpty
                        ? "There are none. Next: kenh central init --home \(folder.path)/NAME"
                        : lines.map(\.text).joined(separator: "\n")
                }
            }
        }
    }
}

/// Looks again which organisations there are whenever the process is told to.
private struct ReloadOnHangUp: Service {
    let signals: UnixSignalsSequence
    let reload: @Sendable () throws -> Void
    let logger: Logger

    func run() async throws {
        for await _ in signals.cancelOnGracefulShutdown() {
            // It waits for requests under way, which need the threads of tasks.
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    do { try reload() } catch {
                        logger.error("the organisations cannot be listed", metadata: ["reason": "\(error)"])
                    }
                    continuation.resume()
                }
            }
        }
    }
}

/// A folder of centres' homes.
struct OrganisationFolder: Sendable {
    let path: String
    let logger: Logger

    static let badName = "cannot be served under its name: lowercase letters, digits and hyphens, at most 63"

    func home(_ name: String) -> Home { Home(path: "\(path)/\(name)") }

    /// Folders in it, of whatever name.
    func all() throws -> [String] {
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
            throw Failure(.noInput, "the folder \(path) cannot be read; check --organisations and its permissions")
        }
        return names.filter { name in
            var isFolder: ObjCBool = false
            return !name.hasPrefix(".")
                && FileManager.default.fileExists(atPath: "\(path)/\(name)", isDirectory: &isFolder)
                && isFolder.boolValue
        }.sorted()
    }

    func source() -> OrganisationSource {
        OrganisationSource(
            names: {
                try all().filter { name in
                    let isGood = Organisations.isName(name)
                    if !isGood { logger.error("a folder \(Self.badName)", metadata: ["folder": "\(name)"]) }
                    return isGood
                }
            },
            fingerprint: { name in
                try inWords {
                    let home = home(name)
                    let store = try home.openStore()
                    guard try home.role(store) == .centre else {
                        throw Failure(
                            .configuration, "\(home.path) is a cell's home; kenh central init makes a centre's")
                    }
                    return try home.certificates(store).root.organisationFingerprint.bytes.hex
                }
            },
            open: { name in
                try inWords { try home(name).parts(Settings(home: home(name)), logger) }
            },
            place: { name in
                let home = home(name)
                return try inWords {
                    try [home.path, home.storePath, home.logPath].map(Self.file).joined(separator: ", ")
                }
            })
    }

    /// Device and number of a file.
    private static func file(_ path: String) throws -> String {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw Failure(
                .noInput, "\(path) cannot be read (\(String(cString: strerror(errno)))); check it and its permissions")
        }
        return "\(status.st_dev)/\(status.st_ino)"
    }

    private func inWords<T>(_ body: () throws -> T) throws -> T {
        do { return try body() } catch { throw Reason(text: Failure(error).message) }
    }

    private struct Reason: Error, CustomStringConvertible {
        let text: String
        var description: String { text }
    }
}

extension Home {
    /// What it takes to serve it; refused while another process does.
    func parts(_ settings: Settings, _ logger: Logger) throws -> CentreParts {
        let (_, hub, view) = try openCentre()
        let lock = try HomeLock(self)
        return CentreParts(
            hub: hub, view: view, blobs: try blobs(of: hub, settings, logger), upkeep: try upkeep(settings), lock: lock)
    }

    private func upkeep(_ settings: Settings) throws -> UpkeepOptions {
        var options = UpkeepOptions(folder: path)
        func days(_ key: String, _ usual: Int) throws -> Int64 {
            Int64(try settings.int(key, in: Settings.days, default: usual)) * 86_400_000
        }
        options.snapshotAgeMilliseconds = try days("snapshots.age", 7)
        options.patienceMilliseconds = try days("deletions.patience", 366)
        options.archiveAgeMilliseconds = try days("archives.age", 365)
        options.archives = archives
        return options
    }
}
