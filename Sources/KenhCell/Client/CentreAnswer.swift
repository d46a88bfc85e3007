import KenhProtocol

/// A reply of the centre's whose signature was looked at.
struct CentreAnswer {
    let status: Int
    let body: [UInt8]
    let isSigned: Bool
    private let retryAfterSeconds: Int?

    /// An answer of success has to be the centre's; one of failure may come from a proxy between, and is then believed
    /// no further than that it failed.
    init(
        _ reply: HTTPReply, method: String, path: String, nonce: Nonce, serverKey: ([UInt8]) throws -> PublicKey?
    ) throws {
        status = reply.status
        body = reply.body
        retryAfterSeconds = reply.retryAfterSeconds
        guard let input = reply["signature-input"], let signature = reply["signature"],
            let digest = reply["content-digest"], let key = try serverKey(body)
        else {
            isSigned = false
            guard status != 200 else { throw Self.unsigned }
            return
        }
        let parts = ResponseParts(
            status: status, contentType: reply["content-type"] ?? "", contentDigest: digest,
            requestMethod: method, requestPath: path)
        do {
            try ContentDigest.verify(digest, content: body)
            try ResponseSignature.verify(
                parts, SignatureHeaders(signatureInput: input, signature: signature), key: key, nonce: nonce)
        } catch {
            throw CellError(
                .notTheCentre,
                "the answer was not signed by this cell's centre, or was changed on the way (\(error.message)); try again, "
                    + "then check the URL and any proxy between",
                recovery: .retry)
        }
        isSigned = true
    }

    private static let unsigned = CellError(
        .notTheCentre, "what answers at this address is not this cell's centre; check the URL and any proxy between",
        recovery: .askAPerson)

    /// What the centre says went wrong; nil where the body says nothing of the kind.
    var problem: WireProblem? {
        guard let problem = try? WireCoding.decode(WireProblem.self, from: body), !problem.code.isEmpty else {
            return nil
        }
        return problem
    }

    /// Why the answer is none of success.
    var failure: CellError {
        if status == 429 {
            return CellError(
                .rateLimited, "the centre is busy and asks to wait; try again later", recovery: .retry,
                retryAfterSeconds: retryAfterSeconds)
        }
        guard let problem else { return unreadable }
        let asked = CellError.Recovery(rawValue: problem.recovery) ?? .askAPerson
        // Only the centre itself may make a cell offer everything again.
        let recovery = isSigned || asked != .resync ? asked : .retry
        return CellError(
            Self.code(status, recovery), problem.message, recovery: recovery, retryAfterSeconds: retryAfterSeconds)
    }

    private static func code(_ status: Int, _ recovery: CellError.Recovery) -> CellError.Code {
        if recovery == .resync { return .diverged }
        return status >= 500 ? .centreFailed : .refused
    }

    private var unreadable: CellError {
        if (502...504).contains(status) {
            return CellError(
                .unreachable, "what stands before the centre does not reach it (status \(status)); try again later",
                recovery: .retry, retryAfterSeconds: retryAfterSeconds)
        }
        return CellError(
            .notTheCentre,
            "what answers at this address is no Kenh centre (status \(status)); check the URL and any "
                + "proxy between", recovery: status >= 500 ? .retry : .askAPerson, retryAfterSeconds: retryAfterSeconds)
    }
}
