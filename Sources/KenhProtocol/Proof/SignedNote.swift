import KenhMerge

/// A text with signatures below it, as C2SP's signed-note says: lines of UTF-8, an empty line, then a line
/// `— NAME BASE64` for each signature over the text with its last line feed. The base64 is of four bytes that name the
/// key, and 64 of Ed25519.
public struct SignedNote: Sendable, Equatable {
    /// Whose signature a line may be: a key with its name.
    public struct Signer: Sendable, Equatable {
        /// Not empty, without spaces and plus signs.
        public let name: String
        public let key: PublicKey

        public init(name: String, key: PublicKey) { (self.name, self.key) = (name, key) }

        /// The first four bytes of SHA-256(name ‖ 0A ‖ 01 ‖ key).
        public var keyID: [UInt8] {
            let hash = (Array(name.utf8) + [0x0A, 0x01] + key.bytes).withUnsafeBytes(Hashing.plainSHA256)
            return Array(hash.bytes.prefix(4))
        }
    }

    public struct Signature: Sendable, Equatable {
        public let name: String
        public let keyID: [UInt8]
        public let bytes: [UInt8]
    }

    public static let byteLimit = 16 << 10
    private static let signatureLimit = 16
    private static let dash = "\u{2014} "

    /// Ends with a line feed.
    public let text: String
    public private(set) var signatures: [Signature] = []

    /// - Precondition: the text ends with a line feed and has no empty line.
    public init(text: String) {
        precondition(Self.isGood(text), "a note's text ends with a line feed and has no empty line")
        self.text = text
    }

    /// Adds a signature.
    public mutating func sign(as name: String, with key: SigningKey) throws(ProtocolError) {
        let signer = Signer(name: name, key: key.publicKey)
        precondition(Self.isName(name), "a signer's name has neither spaces nor plus signs")
        let bytes = try key.sign(Array(text.utf8), domain: .note)
        signatures.append(Signature(name: name, keyID: signer.keyID, bytes: bytes))
    }

    /// Whether one of the signatures is the signer's, and good. Those of others are passed over.
    public func isSigned(by signer: Signer) -> Bool {
        signatures.contains { line in
            line.name.utf8.elementsEqual(signer.name.utf8) && line.keyID == signer.keyID
                && signer.key.verifies(line.bytes, of: Array(text.utf8), domain: .note)
        }
    }

    // MARK: as text

    /// The whole note.
    public var encoded: String {
        let lines = signatures.map { "\(Self.dash)\($0.name) \(Base64.encode($0.keyID + $0.bytes))\n" }
        return text + "\n" + lines.joined()
    }

    /// - Throws: ``ProtocolError`` with code `malformed`, or `tooLarge`. Signatures are not looked at.
    public init(decoding encoded: String) throws(ProtocolError) {
        guard encoded.utf8.count <= Self.byteLimit else {
            throw ProtocolError(.tooLarge, "a note has more than \(Self.byteLimit) bytes")
        }
        // By bytes: a line feed and the character after it may be one Character.
        let bytes = Array(encoded.utf8)
        guard let gap = Self.lastGap(bytes) else { throw Self.malformed }
        let text = String(decoding: bytes[...gap], as: UTF8.self)
        let lines = bytes[(gap + 2)...].split(separator: 0x0A, omittingEmptySubsequences: false)
        guard Self.isGood(text), lines.count >= 2, lines.last?.isEmpty == true, lines.count <= Self.signatureLimit + 1
        else { throw Self.malformed }
        self.text = text
        for line in lines.dropLast() { signatures.append(try Self.signature(line)) }
    }

    /// The notes of a text in which one follows another, with any empty lines between.
    public static func split(_ text: String) -> [String] {
        var notes: [String] = []
        var lines: [Substring] = []
        var hasSignatures = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) + [Substring("-")] {
            let isSignature = line.hasPrefix(dash)
            if hasSignatures, !isSignature {
                notes.append(lines.joined(separator: "\n") + "\n")
                (lines, hasSignatures) = ([], false)
            }
            if lines.isEmpty, line.isEmpty { continue }
            lines.append(line)
            hasSignatures = hasSignatures || isSignature
        }
        return notes
    }

    private static let malformed = ProtocolError(.malformed, "this is no signed note")

    /// Of the line feed before the last empty line.
    private static func lastGap(_ bytes: [UInt8]) -> Int? {
        bytes.indices.dropLast().last { bytes[$0] == 0x0A && bytes[$0 + 1] == 0x0A }
    }

    private static func signature(_ line: ArraySlice<UInt8>) throws(ProtocolError) -> Signature {
        let start = Array(dash.utf8)
        guard line.starts(with: start), let space = line.lastIndex(of: 0x20),
            space >= line.startIndex + start.count
        else { throw malformed }
        let name = String(decoding: line[(line.startIndex + start.count)..<space], as: UTF8.self)
        let bytes = Base64.decode(String(decoding: line[(space + 1)...], as: UTF8.self))
        guard isName(name), let bytes, bytes.count == 4 + 64 else { throw malformed }
        return Signature(name: name, keyID: Array(bytes.prefix(4)), bytes: Array(bytes.dropFirst(4)))
    }

    private static func isGood(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        let isPrintable = bytes.allSatisfy { $0 >= 0x20 || $0 == 0x0A }
        return bytes.last == 0x0A && bytes.first != 0x0A && isPrintable && lastGap(bytes) == nil
    }

    private static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.unicodeScalars.allSatisfy { $0 != "+" && !$0.properties.isWhitespace && $0.value >= 0x20 }
    }
}
