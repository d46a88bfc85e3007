import ArgumentParser
import Foundation

@main
enum Main {
    static func main() async {
        do {
            var command = try Kenh.parseAsRoot()
            if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
        } catch let error where Kenh.exitCode(for: error) != .failure {
            // Usage errors and --help are the parser's to print.
            Kenh.exit(withError: error)
        } catch {
            let failure = Failure(error)
            FileHandle.standardError.write(Data("kenh: \(failure.message)\n".utf8))
            exit(failure.exit.rawValue)
        }
    }
}

struct Kenh: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kenh",
        abstract: "Cells work offline; the daemon syncs; the centre sees the merged state.",
        discussion: """
            EXAMPLES
              kenh central init --home /srv/kenh --name "Đảng bộ Trường"
              kenh central cell add CB1 --name "Chi bộ 1" --home /srv/kenh
              kenh central device add CB1 --home /srv/kenh      prints a one-time code
              kenh central serve --home /srv/kenh
              kenh join http://centre:7370 --home ~/kenh        asks for the code
              kenh daemon --home ~/kenh
              sqlite3 ~/kenh/kenh.db "UPDATE work_item SET title = '…' WHERE id = '…'"
              kenh sync --home ~/kenh
              kenh demo

            EXIT CODES
              0 done   1 failed   3 something was found that needs a person   64 wrong usage   65 bad data
              66 no such store or row   69 the centre is not reached   74 disk   75 busy, try again
              77 refused   78 configuration
            """,
        version: Version.text,
        subcommands: [
            Central.self, Join.self, Daemon.self, Sync.self, Status.self, Conflicts.self, History.self, Verify.self,
            Demo.self,
        ])
}
