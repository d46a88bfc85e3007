import KenhMerge

extension EnrolmentCode {
    /// As printed: seven groups joined by dashes, six of five characters and one of four. Secret.
    public var text: String {
        let payload = secret + pin
        let characters = CrockfordBase32.encode(payload) + Self.check(payload).map { CrockfordBase32.character($0) }
        let groups = stride(from: 0, to: characters.count, by: 5).map { start in
            String(decoding: characters[start..<min(start + 5, characters.count)], as: UTF8.self)
        }
        return groups.joined(separator: "-")
    }

    /// Reads what a person typed: either case, with or without dashes and spaces, O for 0, I or L for 1.
    ///
    /// - Throws: ``ProtocolError`` with code `badCode`; the message says what to do, and repeats no part of the code.
    public init(typed text: String) throws(ProtocolError) {
        guard text.utf8.count <= Self.inputLimitBytes else { throw Self.wrongLength("far more") }
        var values: [UInt8] = []
        for scalar in text.unicodeScalars where !Self.isSeparator(scalar) {
            guard let value = CrockfordBase32.value(of: scalar) else { throw Self.strangeCharacter(scalar) }
            values.append(value)
        }
        guard values.count == Self.characters else { throw Self.wrongLength("\(values.count)") }
        let payload = CrockfordBase32.decode(values.prefix(32))
        guard values.suffix(2).map({ UInt32($0) }) == Self.check(payload) else {
            throw ProtocolError(
                .badCode, "The code was mistyped: its check characters do not fit. Compare it with the paper.",
                recovery: .askAPerson)
        }
        self.init(payload: payload)
    }

    /// Two groups of five bits.
    private static func check(_ payload: [UInt8]) -> [UInt32] {
        let bits = payload.withUnsafeBytes { UInt32(Hashing.plainSHA256($0).words.0 >> 54) }
        return [bits >> 5, bits & 31]
    }

    /// Also the dashes and spaces that word processors and mail programs put in the place of plain ones.
    private static func isSeparator(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "-", "\u{2010}"..."\u{2015}", "\u{2212}": true
        default: scalar.properties.isWhitespace
        }
    }

    private static func wrongLength(_ count: String) -> ProtocolError {
        ProtocolError(
            .badCode, "A code has \(characters) letters and digits, this has \(count). Type the whole code.",
            recovery: .askAPerson)
    }

    private static func strangeCharacter(_ scalar: Unicode.Scalar) -> ProtocolError {
        let what = scalar == "U" || scalar == "u" ? "the letter U; look again, it may be a V" : "another character"
        return ProtocolError(
            .badCode, "A code has only letters and digits without U, this has \(what).", recovery: .askAPerson)
    }
}
