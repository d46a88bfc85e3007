import ArgumentParser
import Foundation
import KenhHub
import KenhProgramme
import KenhProtocol
import KenhStore

extension Central {
    struct Restore: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a backup of the centre's log in the place of the log that was lost.",
            discussion: """
                EXAMPLES
                  kenh central restore /media/disk/kenh-2026-11-20 --home /srv/kenh

                Stop the centre first. The backup is a copy of the centre's home, or of its log.db alone; archives that the
                home lacks are looked for in the backup's folder archives. It is checked before
                anything is changed, and the log that was there is kept beside the new one. The restored log begins a new
                epoch: the centre's own tables, where they are whole, and the cells at their next sync hand back what came
                after the backup. Where kenh.db or a key is missing in the home, it is taken from the backup, too.
                """)

        @OptionGroup var home: HomeOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "Folder of the backup.")
        var backup: String
        @Flag(help: "Also where the log that is there is whole and has more than the backup.")
        var force = false

        private struct Result: Encodable {
            var entries: UInt64 = 0
            var handedBack: UInt64 = 0
            var kept: [String] = []
        }

        func run() throws {
            let home = try home.resolve()
            let source = Home(path: backup)
            guard FileManager.default.fileExists(atPath: source.logPath) else {
                throw Failure(.noInput, "there is no log.db in \(backup); give the folder of a centre's backup")
            }
            try home.makeFolder()
            let lock = try HomeLock(home)
            var result = Result()
            let new = home.logPath + ".restoring"
            defer { ReplacedFile.remove(new) }
            try ReplacedFile.copy(source.logPath, to: new)
            let taken = try takeIdentity(from: source, home)
            let store = try home.openStore()
            let identity = try home.hubIdentity(store)
            let archives = ArchiveShelf(home.archiveFolder, source.archiveFolder)
            result.entries = try check(new, identity, archives, against: home)
            try archives.takeIn()
            if let kept = try ReplacedFile.exchange(home.logPath, for: new, keptAs: "replaced") {
                result.kept.append(kept)
            }
            let hub = try home.hub(store)
            try hub.beginEpoch()
            try CentreView(store: store, hub: hub, identity: try home.identity(store)).catchUp()
            result.handedBack = try hub.size() - result.entries
            withExtendedLifetime(lock) {}
            try output.print(result) { Self.text(result, taken, backup) }
        }

        private static func text(_ result: Result, _ taken: [String], _ backup: String) -> String {
            var lines = [
                "Restored the log with \(result.entries) entries from \(backup), and began a new epoch; "
                    + "\(result.handedBack) entries were added from the centre's own tables.",
                "Start the centre again. Cells hand back at their next sync what came after the backup.",
            ]
            if !taken.isEmpty { lines.append("Taken from the backup, too: \(taken.joined(separator: ", ")).") }
            lines += result.kept.map { "The log that was there is kept as \($0)." }
            return lines.joined(separator: "\n")
        }

        /// What a centre is besides its log. What is there is newer than the backup, and stays.
        /// - Returns: what was taken from the backup.
        private func takeIdentity(from source: Home, _ home: Home) throws -> [String] {
            var taken: [String] = []
            try home.makeFolder("keys")
            for name in ["device.key", "keys/serving.key", "kenh.db"] {
                let (from, to) = ("\(source.path)/\(name)", "\(home.path)/\(name)")
                guard !FileManager.default.fileExists(atPath: to) else { continue }
                guard FileManager.default.fileExists(atPath: from) else {
                    throw Failure(.noInput, "\(name) is neither in \(home.path) nor in the backup; put it there first")
                }
                try ReplacedFile.copy(from, to: to + ".restoring")
                try ReplacedFile.exchange(to, for: to + ".restoring", keptAs: "replaced")
                taken.append(name)
            }
            return taken
        }

        /// - Returns: how many entries the backup has.
        private func check(
            _ path: String, _ identity: HubIdentity, _ archives: ArchiveShelf, against home: Home
        ) throws -> UInt64 {
            if StandardError.isTerminal, !output.json { Progress.show("checking the backup") }
            defer { Progress.clear() }
            let log = try home.log(at: path, archives: archives)
            let report = try LogVerifier(identity: identity).verify(log)
            guard report.isGood else {
                throw Failure(
                    .badData,
                    "the backup's log is damaged, or another organisation's: \(report.problems[0]); nothing was changed, "
                        + "choose another backup")
            }
            let size = try log.size()
            if !force, let there = Self.wholeSize(home, identity), there > size {
                throw Failure(
                    .badData,
                    "the log that is there is whole and has \(there) entries, the backup \(size); nothing was changed, "
                        + "use --force if you want the backup all the same")
            }
            return size
        }

        private static func wholeSize(_ home: Home, _ identity: HubIdentity) -> UInt64? {
            guard FileManager.default.fileExists(atPath: home.logPath),
                let log = try? home.log(at: home.logPath),
                let report = try? LogVerifier(identity: identity).verify(log), report.isGood
            else { return nil }
            return try? log.size()
        }
    }
}
