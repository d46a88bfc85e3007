import Foundation

/// Starts a process with its input and output in files. Not through Foundation's `Process`, which on Linux reads past a
/// buffer now and then when many are started at once.
enum Spawn {
    struct Files {
        /// Where it works.
        let folder: String
        let input: String
        let output: String
        let errors: String
    }

    static func start(
        _ program: String, _ arguments: [String], environment: [String: String], files: Files
    ) throws -> pid_t {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        posix_spawn_file_actions_addopen(&actions, 0, files.input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, files.output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, files.errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        let flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK
        posix_spawnattr_setflags(&attributes, Int16(flags))
        setSignals(&attributes)
        // The shell is there to change the folder, and gives way to the program.
        let shell = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", files.folder, program]
        return try withStrings(shell + arguments) { arguments in
            try withStrings(environment.map { "\($0.key)=\($0.value)" }) { environment in
                var id: pid_t = 0
                let code = posix_spawn(&id, shell[0], &actions, &attributes, arguments, environment)
                guard code == 0 else { throw TestFailure("\(program) cannot be started (error \(code))") }
                return id
            }
        }
    }

    #if canImport(Darwin)
        private typealias Attributes = posix_spawnattr_t?
    #else
        private typealias Attributes = posix_spawnattr_t
    #endif

    /// Servers in the tests' own process may ignore SIGPIPE; what is ignored would stay so in the child.
    private static func setSignals(_ attributes: inout Attributes) {
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGINT, SIGTERM, SIGCHLD] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
    }

    private static func withStrings<T>(
        _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> T
    ) rethrows -> T {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return try body(copies + [nil])
    }

    /// Waits for the process's end, after which its id is still its own until it is reaped.
    static func waitForEnd(of id: pid_t) {
        var information = siginfo_t()
        while waitid(P_PID, id_t(id), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    }

    /// - Returns: the exit code, or 128 and the signal that ended it.
    static func reap(_ id: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }
}
