import ArgumentParser
import Foundation

@main
enum Main {
    static func main() async {
        do {
            var command = try Kenh.parseAsRoot()
            if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
            try Self.flush()
        } catch {
            end(error)
        }
    }

    /// Output that could not be written is a failure too, except where its reader has gone (`kenh history … | head`).
    private static func flush() throws {
        guard fflush(nil) != 0, errno != EPIPE else { return }
        throw Failure(.disk, "the output cannot be written: \(String(cString: strerror(errno))); check where it goes")
    }

    private static func end(_ error: any Error) -> Never {
        let code = Kenh.exitCode(for: error)
        // --help and --version are the parser's to print.
        if code == .success { Kenh.exit(withError: error) }
        if error is ExitCode { exit(code.rawValue) }
        let failure = code == .validationFailure ? usage(error) : Failure(error)
        StandardError.write("kenh: \(failure.message)\n")
        exit(failure.exit.rawValue)
    }

    /// The parser's own text has several lines: what is wrong, the usage, and in the last one the command to look at.
    private static func usage(_ error: any Error) -> Failure {
        let message = Failure.oneLine(Kenh.message(for: error))
        let advice = Kenh.fullMessage(for: error).split(separator: "\n").last { $0.contains("See '") }
        let command = advice?.split(separator: "'").dropFirst().first ?? "kenh --help"
        return Failure(.usage, "\(message); see \(command)")
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
              kenh central device add CB1 --home /srv/kenh    prints a one-time code
              kenh central serve --home /srv/kenh
              kenh join http://centre:7370 --home ~/kenh      asks for the code
              kenh daemon --home ~/kenh
              sqlite3 ~/kenh/kenh.db "UPDATE work_item SET title = '…'"
              kenh sync --home ~/kenh
              kenh attach report.pdf --to work_item:KH6/01 --home ~/kenh
              kenh demo

            EXIT CODES
               0  done
               1  failed
               3  something was found that needs a person
              64  wrong usage
              65  bad data
              66  no such store, file or row
              69  the centre is not reached
              74  the disk is full, or cannot be read or written
              75  busy, try again
              77  refused
              78  wrong configuration
            """,
        version: Version.text,
        subcommands: [
            Central.self, Join.self, Daemon.self, Sync.self, Status.self, Conflicts.self, Rejected.self, History.self,
            Attach.self, Attachment.self, Verify.self, Repair.self, Audit.self, Key.self, Demo.self,
        ])
}
