/// 16 random bytes that tie an answer to its request. Travels as its base64, 24 characters.
public struct Nonce: Hashable, Sendable {
    public static let byteCount = 16

    public let bytes: [UInt8]

    public init(using generator: inout some RandomNumberGenerator) {
        bytes = [UInt8].random(count: Self.byteCount, using: &generator)
    }

    /// Nil unless the text is what ``text`` gives for 16 bytes.
    public init?(text: String) {
        guard text.utf8.count == 24, let bytes = Base64.decode(text), bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    public var text: String { Base64.encode(bytes) }
}

extension Nonce: CustomStringConvertible {
    public var description: String { text }
}
