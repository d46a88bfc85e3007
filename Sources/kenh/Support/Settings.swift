import ArgumentParser
import Foundation
import KenhCell
import KenhSettings

extension Settings {
    /// With what the process's environment and the home's file say.
    init(home: Home?, flags: [String: String] = [:]) throws {
        let path = home?.settingsPath
        do {
            try self.init(
                flags: flags, environment: ProcessInfo.processInfo.environment, yaml: try path.flatMap(Self.file))
        } catch let error as SettingsError {
            guard let path else { throw error }
            throw Failure(.configuration, error.message.replacing("kenh.yaml", with: path))
        }
    }

    private static func file(_ path: String) throws -> [UInt8]? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Failure(
                .configuration, "\(path) cannot be read as YAML settings; correct it, or its permissions")
        }
        return Array(data)
    }

    func curl(baseURL: String) throws -> CurlOptions {
        try curl(baseURL: baseURL, userAgent: "kenh/\(Version.text)")
    }
}

enum Version {
    static let text = "0.1.0"
}

/// Where the store is, on every command that needs one.
struct HomeOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("The folder of the store, a cell's or the centre's.", valueName: "dir"))
    var home: String?

    func resolve() throws -> Home {
        if let path = home ?? ProcessInfo.processInfo.environment["KENH_HOME"], !path.isEmpty {
            return Home(path: path)
        }
        throw Failure(.usage, "which store? give --home DIR or set KENH_HOME")
    }
}

struct OutputOptions: ParsableArguments {
    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func print(_ value: some Encodable, _ text: () -> String) throws {
        guard json else {
            let text = text()
            if !text.isEmpty { Swift.print(text) }
            return
        }
        Swift.print(String(decoding: try Self.json(value), as: UTF8.self))
    }

    static func json(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }
}
