import ArgumentParser
import Configuration
import Foundation
import KenhCell
import SystemPackage

/// Settings from flags, then the environment (`KENH_…`), then `kenh.yaml` in the home, then defaults.
///
///     kenh:
///       sync:
///         interval: 900       # seconds between syncs      KENH_SYNC_INTERVAL
///       http:
///         proxy: http://…     # instead of http_proxy      KENH_HTTP_PROXY
///         ca: /path/ca.pem    # instead of the system's    KENH_HTTP_CA
///       listen:
///         host: 127.0.0.1     # of the centre              KENH_LISTEN_HOST
///         port: 7370          #                            KENH_LISTEN_PORT
struct Settings {
    private let reader: ConfigReader

    init(home: Home?, flags: [String: String] = [:]) async throws {
        var providers: [any ConfigProvider] = [
            InMemoryProvider(
                name: "flags",
                values: Dictionary(
                    uniqueKeysWithValues: flags.map {
                        (
                            AbsoluteConfigKey($0.key.split(separator: ".").map(String.init)),
                            ConfigValue(.string($0.value), isSecret: false)
                        )
                    })),
            EnvironmentVariablesProvider(),
        ]
        if let home, try Self.hasSettings(home.settingsPath) {
            do {
                providers.append(try await FileProvider<YAMLSnapshot>(filePath: FilePath(home.settingsPath)))
            } catch { throw Self.unreadable(home.settingsPath) }
        }
        reader = ConfigReader(providers: providers).scoped(to: "kenh")
    }

    /// A file of nothing but comments is one without settings.
    private static func hasSettings(_ path: String) throws -> Bool {
        guard FileManager.default.fileExists(atPath: path) else { return false }
        guard let data = FileManager.default.contents(atPath: path) else { throw unreadable(path) }
        return data.split(separator: UInt8(ascii: "\n")).contains { line in
            let first = line.first { !" \t\r".utf8.contains($0) }
            return first != nil && first != UInt8(ascii: "#")
        }
    }

    private static func unreadable(_ path: String) -> Failure {
        Failure(.configuration, "\(path) cannot be read as YAML settings; correct it, or its permissions")
    }

    func string(_ key: ConfigKey) throws -> String? {
        if let text = reader.string(forKey: key) { return text }
        guard reader.stringArray(forKey: key) == nil else {
            throw Failure(.configuration, "the setting kenh.\(key) has to be one value, not a list; correct it")
        }
        return nil
    }

    func int(_ key: ConfigKey, in range: ClosedRange<Int>, default value: Int) throws -> Int {
        guard let text = try string(key) else { return value }
        guard let number = Int(text), range.contains(number) else {
            let limits = "a whole number from \(range.lowerBound) to \(range.upperBound)"
            throw Failure(.configuration, "the setting kenh.\(key) has to be \(limits), not “\(text)”; correct it")
        }
        return number
    }

    func curl(baseURL: String) throws -> CurlOptions {
        CurlOptions(
            baseURL: baseURL, proxy: try string("http.proxy"), caBundlePath: try string("http.ca"),
            userAgent: "kenh/\(Version.text)")
    }

    static let intervalSeconds = 1...366 * 86_400
    static let ports = 0...65_535

    func schedule() throws -> SyncSchedule.Options {
        let interval = try int("sync.interval", in: Self.intervalSeconds, default: 900)
        let cap = Int64(max(interval, 60)) * 1000
        return SyncSchedule.Options(
            intervalSeconds: interval,
            backoff: Backoff(baseMilliseconds: min(5000, Int64(interval) * 1000), capMilliseconds: cap))
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
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        Swift.print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}
