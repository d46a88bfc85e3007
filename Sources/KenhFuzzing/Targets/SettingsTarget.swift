import KenhCell
import KenhSettings

extension FuzzTarget {
    /// Flags, environment and `kenh.yaml` of any kind: a value in range, or a sentence that names what to correct.
    static let settings = FuzzTarget("settings", seeds: { SettingsFuzz.seeds }) { bytes in
        var input = FuzzInput(bytes)
        let hasFile = input.flag()
        let flags = SettingsFuzz.pairs(&input, SettingsFuzz.keys)
        let environment = SettingsFuzz.pairs(&input, SettingsFuzz.variables)
        do throws(SettingsError) {
            let settings = try Settings(flags: flags, environment: environment, yaml: hasFile ? input.rest() : nil)
            try SettingsFuzz.read(settings)
        } catch { try require(!error.message.isEmpty, "a setting is refused without a word") }
        try SettingsFuzz.checkRanges(flags: flags, environment: environment)
    }
}

private enum SettingsFuzz {
    static let keys = ["kenh.sync.interval", "kenh.http.proxy", "kenh.http.ca", "kenh.listen.port", "kenh.url"]
    static let variables = ["KENH_SYNC_INTERVAL", "KENH_HTTP_PROXY", "KENH_HTTP_CA", "KENH_LISTEN_PORT", "KENH_URL"]

    /// Known names and made-up ones, with any value.
    static func pairs(_ input: inout FuzzInput, _ names: [String]) -> [String: String] {
        var pairs: [String: String] = [:]
        for _ in 0..<input.below(4) {
            let name = input.below(6)
            pairs[name < names.count ? names[name] : input.text()] = input.text()
        }
        return pairs
    }

    static func read(_ settings: Settings) throws(SettingsError) {
        _ = try settings.string("url")
        _ = try settings.string("listen.host")
        _ = try settings.int("listen.port", in: Settings.ports, default: 7370)
        _ = try settings.curl(baseURL: "http://localhost", userAgent: "kenh")
        _ = try settings.schedule()
        _ = try settings.wakes()
        _ = try settings.attachmentTypes()
        _ = try (settings.attachmentLimitBytes(), settings.attachmentRate())
    }

    /// What a flag or the environment says is taken as it is or refused, never bent.
    static func checkRanges(flags: [String: String], environment: [String: String]) throws {
        guard let settings = try? Settings(flags: flags, environment: environment),
            let schedule = try? settings.schedule()
        else { return }
        let said = flags["kenh.sync.interval"] ?? environment["KENH_SYNC_INTERVAL"]
        try require(Settings.intervalSeconds.contains(schedule.intervalSeconds), "an interval out of range")
        guard let said, let number = Int(said) else { return }
        try require(schedule.intervalSeconds == number, "an interval of \(said) became \(schedule.intervalSeconds)")
    }

    static var seeds: [[UInt8]] {
        let yaml = """
            # settings
            kenh:
              sync:
                interval: 900
              http: {proxy: "http://p:3128", ca: /etc/ca.pem}
              listen:
                host: 127.0.0.1
                port: 7370
              url: [a, b]
            """
        var flags = FuzzOutput()
        flags.byte(0)
        flags.byte(1)
        flags.byte(0)
        flags.text("60")
        flags.byte(1)
        flags.byte(3)
        flags.text("70000")
        return [[1, 0, 0] + Array(yaml.utf8), flags.bytes, [1, 0, 0] + Array("kenh: [1, &a *a]".utf8)]
    }
}
