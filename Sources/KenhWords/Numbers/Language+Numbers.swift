extension Language {
    private var decimalMark: String { self == .vietnamese ? "," : "." }
    private var groupMark: String { self == .vietnamese ? "." : "," }

    /// `12.345` in Vietnamese, `12,345` in English.
    public func number(_ value: Int) -> String {
        (value < 0 ? "−" : "") + grouped(String(value.magnitude))
    }

    /// With exactly so many decimals (0 to 6), halves away from zero; what is no number, or too large, is a dash.
    public func number(_ value: Double, decimals: Int) -> String {
        let decimals = min(max(decimals, 0), 6)
        let scale = (0..<decimals).reduce(1) { sum, _ in sum * 10 }
        guard value.isFinite, let scaled = Int64(exactly: (value * Double(scale)).rounded()) else { return "—" }
        let magnitude = scaled.magnitude
        let whole = grouped(String(magnitude / UInt64(scale)))
        let sign = scaled < 0 ? "−" : ""
        guard decimals > 0 else { return sign + whole }
        let rest = String(magnitude % UInt64(scale))
        return sign + whole + decimalMark + String(repeating: "0", count: decimals - rest.count) + rest
    }

    /// A share of one as a percentage, such as `62,5%`.
    public func percent(_ share: Double, decimals: Int = 0) -> String {
        let text = number(share * 100, decimals: decimals)
        return text == "—" ? text : text + "%"
    }

    private func grouped(_ digits: String) -> String {
        var result = ""
        for (offset, digit) in digits.enumerated() {
            if offset > 0, (digits.count - offset) % 3 == 0 { result += groupMark }
            result.append(digit)
        }
        return result
    }
}
