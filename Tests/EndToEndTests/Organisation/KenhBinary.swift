import Foundation

/// The program under test: `KENH_BINARY`, or the `kenh` that was built beside the tests.
enum KenhBinary {
    static let path: String = found ?? "kenh"

    private static var found: String? {
        if let named = ProcessInfo.processInfo.environment["KENH_BINARY"], !named.isEmpty { return named }
        for start in [Bundle.main.executablePath, Bundle.main.bundlePath] + CommandLine.arguments.map(Optional.some) {
            guard let start else { continue }
            if let path = above(URL(fileURLWithPath: start)) { return path }
        }
        return nil
    }

    private static func above(_ start: URL) -> String? {
        var folder = start.standardizedFileURL
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            let path = folder.appendingPathComponent("kenh").path
            var isFolder: ObjCBool = false
            if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue,
                FileManager.default.isExecutableFile(atPath: path)
            {
                return path
            }
        }
        return nil
    }
}

/// The independent comparison of all stores, beside these tests.
enum Checker {
    static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("check_demo.py").path
}
