import Foundation

/// The repository that this test was compiled from.
struct Repository {
    let root: URL

    init(file: String = #filePath) {
        root = URL(fileURLWithPath: file).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    func targetTable() throws -> TargetTable {
        let url = root.appendingPathComponent("CONTRIBUTING.md")
        return TargetTable(markdown: String(decoding: try Data(contentsOf: url), as: UTF8.self))
    }

    /// The folders of Sources, without the shims of system libraries (CCurl, CSQLite, …).
    func targets() throws -> [String] {
        let folders = try FileManager.default.contentsOfDirectory(
            at: root.appendingPathComponent("Sources"), includingPropertiesForKeys: [.isDirectoryKey],
            options: .skipsHiddenFiles)
        return try folders.filter { try $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true }
            .filter { !Self.isShim($0) }.map(\.lastPathComponent).sorted()
    }

    func files(of target: String) throws -> [SourceFile] {
        let folder = root.appendingPathComponent("Sources").appendingPathComponent(target)
        return try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            .filter { $0.hasSuffix(".swift") }.sorted()
            .map { path in
                let data = try Data(contentsOf: folder.appendingPathComponent(path))
                return SourceFile(
                    target: target, path: "\(target)/\(path)", text: String(decoding: data, as: UTF8.self))
            }
    }

    /// Such a folder has a module map at its top and nothing to compile.
    private static func isShim(_ folder: URL) -> Bool {
        FileManager.default.fileExists(atPath: folder.appendingPathComponent("module.modulemap").path)
    }
}
