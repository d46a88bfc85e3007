import Configuration
import KenhCell

/// Settings from flags, then the environment (`KENH_…`), then `kenh.yaml` in the home, then defaults.
///
///     kenh:
///       sync:
///         interval: 900       # seconds between syncs      KENH_SYNC_INTERVAL
///         wake: true          # sync when others write     KENH_SYNC_WAKE
///       http:
///         proxy: http://…     # instead of http_proxy      KENH_HTTP_PROXY
///         ca: /path/ca.pem    # instead of the system's    KENH_HTTP_CA
///       listen:
///         host: 127.0.0.1     # of the centre              KENH_LISTEN_HOST
///         port: 7370          #                            KENH_LISTEN_PORT
///       tls:
///         certificate: /path  # of the centre, PEM         KENH_TLS_CERTIFICATE
///         key: /path          # its key                    KENH_TLS_KEY
public struct Settings {
    private let reader: ConfigReader

    /// - Parameters:
    ///   - flags: by key with its dots, such as `kenh.sync.interval`.
    ///   - environment: of the process.
    ///   - yaml: bytes of the file; nil where there is none.
    /// - Throws: ``SettingsError`` where the bytes are no YAML settings.
    public init(
        flags: [String: String] = [:], environment: [String: String] = [:], yaml: [UInt8]? = nil
    ) throws(SettingsError) {
        var providers: [any ConfigProvider] = [
            InMemoryProvider(name: "flags", values: Self.values(flags)),
            EnvironmentVariablesProvider(environmentVariables: environment),
        ]
        if let yaml, Self.hasSettings(yaml) {
            do { providers.append(try SnapshotProvider(yaml: yaml)) } catch {
                throw SettingsError("kenh.yaml cannot be read as YAML settings; correct it")
            }
        }
        reader = ConfigReader(providers: providers).scoped(to: "kenh")
    }

    private static func values(_ flags: [String: String]) -> [AbsoluteConfigKey: ConfigValue] {
        Dictionary(
            flags.map {
                (
                    AbsoluteConfigKey($0.key.split(separator: ".").map(String.init)),
                    ConfigValue(.string($0.value), isSecret: false)
                )
            }, uniquingKeysWith: { first, _ in first })
    }

    /// A file of nothing but comments is one without settings.
    private static func hasSettings(_ yaml: [UInt8]) -> Bool {
        yaml.split(separator: UInt8(ascii: "\n")).contains { line in
            let first = line.first { !" \t\r".utf8.contains($0) }
            return first != nil && first != UInt8(ascii: "#")
        }
    }

    /// - Parameter key: below `kenh`, such as `sync.interval`.
    public func string(_ name: String) throws(SettingsError) -> String? {
        let key = ConfigKey(stringLiteral: name)
        if let text = reader.string(forKey: key) { return text }
        guard reader.stringArray(forKey: key) == nil else {
            throw SettingsError("the setting kenh.\(name) has to be one value, not a list; correct it")
        }
        return nil
    }

    public func int(
        _ name: String, in range: ClosedRange<Int>, default value: Int
    ) throws(SettingsError) -> Int {
        guard let text = try string(name) else { return value }
        guard let number = Int(text), range.contains(number) else {
            let limits = "a whole number from \(range.lowerBound) to \(range.upperBound)"
            throw SettingsError("the setting kenh.\(name) has to be \(limits), not “\(text)”; correct it")
        }
        return number
    }

    /// Whether a cell lets its centre wake it.
    public func wakes() throws(SettingsError) -> Bool { try bool("sync.wake", default: true) }

    private func bool(_ name: String, default value: Bool) throws(SettingsError) -> Bool {
        guard let text = try string(name) else { return value }
        switch text.lowercased() {
        case "true", "yes", "on", "1": return true
        case "false", "no", "off", "0": return false
        default: throw SettingsError("the setting kenh.\(name) has to be true or false, not “\(text)”; correct it")
        }
    }

    /// - Parameter userAgent: name and version of the program.
    public func curl(baseURL: String, userAgent: String) throws(SettingsError) -> CurlOptions {
        CurlOptions(
            baseURL: baseURL, proxy: try string("http.proxy"), caBundlePath: try string("http.ca"),
            userAgent: userAgent)
    }

    public static let intervalSeconds = 1...366 * 86_400
    public static let ports = 0...65_535
    public static let days = 0...36_500

    public func schedule() throws(SettingsError) -> SyncSchedule.Options {
        let interval = try int("sync.interval", in: Self.intervalSeconds, default: 900)
        let cap = Int64(max(interval, 60)) * 1000
        return SyncSchedule.Options(
            intervalSeconds: interval,
            backoff: Backoff(baseMilliseconds: min(5000, Int64(interval) * 1000), capMilliseconds: cap))
    }
}
