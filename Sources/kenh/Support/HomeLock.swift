import Foundation

/// Held by whoever must be alone with a centre's files: the one that serves them, and the one that exchanges them.
final class HomeLock: Sendable {
    private let descriptor: Int32

    /// - Throws: ``Failure`` where another process holds it.
    init(_ home: Home) throws {
        let path = home.path + "/lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw Failure(.disk, "\(path) cannot be opened (\(String(cString: strerror(errno)))); check the folder")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw Failure(
                .tryAgain, "the centre at \(home.path) is being served by another process; stop that first")
        }
    }

    /// Whether somebody holds it; nothing is made or written to find out.
    static func isHeld(_ home: Home) throws -> Bool {
        let path = home.path + "/lock"
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return false }
            throw Failure(.disk, "\(path) cannot be opened (\(String(cString: strerror(errno)))); check the folder")
        }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0
    }

    /// Released by the system where the process ends otherwise.
    deinit { close(descriptor) }
}
