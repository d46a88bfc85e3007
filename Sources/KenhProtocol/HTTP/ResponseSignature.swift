/// Signatures over responses, by the centre's serving key (RFC 9421): nobody between can forge "accepted", nor answer
/// with what was said to another request.
public enum ResponseSignature {
    /// - Parameters:
    ///   - created: Unix seconds by the centre's clock.
    ///   - nonce: the request's; nil where it had none that could be read.
    public static func sign(
        _ parts: ResponseParts, with key: SigningKey, created: Int64, nonce: Nonce?
    ) throws(ProtocolError) -> SignatureHeaders {
        try SignatureHeaders(signing: parts.components, with: key, created: created, nonce: nonce)
    }

    /// - Parameters:
    ///   - key: the centre's serving key, which the receiver already trusts.
    ///   - nonce: of the request. Nil takes only an answer that is tied to no request: it may be old, so it proves
    ///     nothing beyond who once said it.
    /// - Returns: when the centre signed, in Unix seconds by its clock. Not compared with any other clock.
    /// - Throws: ``ProtocolError``: `malformed`, `tooLarge`, `badSignature`.
    @discardableResult
    public static func verify(
        _ parts: ResponseParts, _ headers: SignatureHeaders, key: PublicKey, nonce: Nonce?
    ) throws(ProtocolError) -> Int64 {
        let received = try ReceivedSignature(signatureInput: headers.signatureInput)
        guard received.keyID == key.bytes else {
            throw ProtocolError(.badSignature, "the answer is signed with a key that is not the centre's")
        }
        guard received.nonceText.utf8.elementsEqual((nonce?.text ?? "").utf8) else {
            throw ProtocolError(.badSignature, "the answer is to another request")
        }
        try received.verify(headers.signature, over: parts.components, by: key)
        return received.created
    }
}
