import KenhMerge
import RawStructuredFieldValues

/// What the two header fields say, before anything in them is believed.
struct ReceivedSignature {
    /// As received and in that order, which the signature base repeats.
    let parameters: [SignatureParameter]
    let identifiers: [Item]
    let created: Int64
    /// Empty where the sender had none.
    let nonceText: String
    let keyID: [UInt8]

    /// Reads `Signature-Input`. Exactly the agreed parameters have to be there, in any order.
    init(signatureInput: String) throws(ProtocolError) {
        let fields = try StructuredField.dictionary(signatureInput, field: "Signature-Input")
        guard case .innerList(let list)? = fields[SignatureHeaders.label] else {
            throw ProtocolError(.malformed, "Signature-Input has no signature labelled \(SignatureHeaders.label)")
        }
        identifiers = Array(list.bareInnerList)
        var parameters: [SignatureParameter] = []
        for (name, item) in list.rfc9651Parameters { parameters.append(try SignatureParameter(name: name, item: item)) }
        self.parameters = parameters
        (created, nonceText, keyID) = try Self.values(of: parameters)
    }

    private static func values(
        of parameters: [SignatureParameter]
    ) throws(ProtocolError) -> (created: Int64, nonce: String, keyID: [UInt8]) {
        var created: Int64?
        var nonce: String?
        var keyID: [UInt8]?
        var (isAlgorithmAgreed, isTagAgreed) = (false, false)
        for parameter in parameters {
            switch parameter {
            case .created(let seconds): created = seconds
            case .nonce(let text): nonce = text
            case .keyID(let hex): keyID = Self.keyBytes(hex)
            case .algorithm(let name): isAlgorithmAgreed = name.utf8.elementsEqual(SignatureHeaders.algorithm.utf8)
            case .tag(let tag): isTagAgreed = tag.utf8.elementsEqual(SignatureHeaders.tag.utf8)
            }
        }
        guard let created, let nonce, let keyID, isAlgorithmAgreed, isTagAgreed else {
            throw ProtocolError(.badSignature, "the signature lacks one of created, nonce, keyid, alg and tag")
        }
        return (created, nonce, keyID)
    }

    private static func keyBytes(_ hex: String) -> [UInt8]? {
        guard let bytes = [UInt8](hex: hex), bytes.count == PublicKey.byteCount,
            bytes.hex.utf8.elementsEqual(hex.utf8)
        else { return nil }
        return bytes
    }

    /// Whether `key` made `signature` (the value of that header field) over just these components in this order.
    func verify(
        _ signature: String, over components: [SignatureComponent], by key: PublicKey
    ) throws(ProtocolError) {
        guard identifiers == components.map(SignatureBase.identifier(of:)) else {
            throw ProtocolError(.badSignature, "the signature does not cover what it has to")
        }
        let fields = try StructuredField.dictionary(signature, field: "Signature")
        guard let bytes = StructuredField.bytes(SignatureHeaders.label, in: fields) else {
            throw ProtocolError(.malformed, "Signature has none labelled \(SignatureHeaders.label)")
        }
        let base = SignatureBase(components: components, parameters: parameters)
        guard key.verifies(bytes, of: try base.bytes(), domain: .httpMessage) else {
            throw ProtocolError(.badSignature, "the signature is not good")
        }
    }
}
