import Foundation

/// A disk that is soon full: a small tmpfs where that can be mounted, else a limit on the size of every file, which
/// SQLite sees as a disk that takes no more, too.
final class SmallDisk {
    let folder: URL
    private let isMounted: Bool
    private let limitKiB: Int
    private let files: URL
    private var isGrown = false

    init(at folder: URL, kibibytes: Int, files: URL) throws {
        (self.folder, limitKiB, self.files) = (folder, kibibytes, files)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let options = "size=\(kibibytes)k,mode=700"
        let mounted = try Child(
            "/usr/bin/env", ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder.path], in: files
        ).wait()
        isMounted = mounted.status == 0
    }

    deinit {
        guard isMounted else { return }
        _ = try? Child("/usr/bin/env", ["umount", folder.path], in: files).wait()
    }

    func grow() throws {
        isGrown = true
        guard isMounted else { return }
        let grown = try Child(
            "/usr/bin/env", ["mount", "-o", "remount,size=256m", "tmpfs", folder.path], in: files
        ).wait()
        guard grown.status == 0 else { throw TestFailure("\(grown)") }
    }

    /// Starts the program so that what it writes goes to this disk.
    func start(_ arguments: [String], input: String = "") throws -> Child {
        if isMounted || isGrown { return try Child(KenhBinary.path, arguments, input: input, in: files) }
        let script = "trap '' XFSZ; ulimit -f \(limitKiB); exec \"$0\" \"$@\""
        return try Child("/bin/bash", ["-c", script, KenhBinary.path] + arguments, input: input, in: files)
    }
}
