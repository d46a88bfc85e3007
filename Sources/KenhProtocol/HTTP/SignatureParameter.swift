import RawStructuredFieldValues

/// One parameter of a signature (RFC 9421 §2.3); others than these are not taken.
package enum SignatureParameter: Sendable, Equatable {
    /// Unix seconds.
    case created(Int64)
    case nonce(String)
    case keyID(String)
    case algorithm(String)
    case tag(String)

    package var name: String {
        switch self {
        case .created: "created"
        case .nonce: "nonce"
        case .keyID: "keyid"
        case .algorithm: "alg"
        case .tag: "tag"
        }
    }

    var item: RFC9651BareItem {
        switch self {
        case .created(let seconds): .integer(seconds)
        case .nonce(let text), .keyID(let text), .algorithm(let text), .tag(let text): .string(text)
        }
    }

    init(name: String, item: RFC9651BareItem) throws(ProtocolError) {
        switch (name, item) {
        case ("created", .integer(let seconds)): self = .created(seconds)
        case ("nonce", .string(let text)): self = .nonce(text)
        case ("keyid", .string(let text)): self = .keyID(text)
        case ("alg", .string(let text)): self = .algorithm(text)
        case ("tag", .string(let text)): self = .tag(text)
        default: throw ProtocolError(.badSignature, "the signature has a parameter \(name) that is not agreed on")
        }
    }
}
