import KenhMerge
import KenhProtocol

/// Where requests for attachments go: the network in a cell, a function call in a test. A link of its own, so that a
/// slow one holds up no sync.
public protocol BlobLink {
    /// Nil where the centre has nothing of it that it would give this device.
    func status(of hash: Hash256, in channel: String) throws -> WireBlobStatus?
    /// What the centre has after the piece, also where it has more or less than was thought.
    ///
    /// - Parameter query: with `size`, `type` and `offset`.
    func put(_ piece: [UInt8], of hash: Hash256, _ query: BlobQuery) throws -> WireBlobStatus
    func piece(of hash: Hash256, _ query: BlobQuery) throws -> [UInt8]
}

/// The network, as a cell's link for attachments.
public struct CentreBlobLink: BlobLink, Sendable {
    private let client: CentreClient
    private let centre: PublicKey

    /// - Parameter centre: the centre's serving key.
    public init(client: CentreClient, centre: PublicKey) {
        self.client = client
        self.centre = centre
    }

    private static let pieceType = "application/octet-stream"
    private static let statusLimitBytes = 64 << 10

    public func status(of hash: Hash256, in channel: String) throws -> WireBlobStatus? {
        let query = BlobQuery(channel: channel, wantsStatus: true)
        let answer = try client.answer(
            to: .init(
                method: "GET", path: BlobPath.path(of: hash), query: query.pairs,
                limitBytes: Self.statusLimitBytes)
        ) { _ in centre }
        if answer.isSigned, answer.problem?.code == ProtocolError.Code.notFound.rawValue { return nil }
        return try Self.status(answer)
    }

    public func put(_ piece: [UInt8], of hash: Hash256, _ query: BlobQuery) throws -> WireBlobStatus {
        let answer = try client.answer(
            to: .init(
                method: "PUT", path: BlobPath.path(of: hash), query: query.pairs, contentType: Self.pieceType,
                body: piece, limitBytes: Self.statusLimitBytes)
        ) { _ in centre }
        if answer.isSigned, let problem = answer.problem, problem.hasBlob { return problem.blob }
        return try Self.status(answer)
    }

    public func piece(of hash: Hash256, _ query: BlobQuery) throws -> [UInt8] {
        let answer = try client.answer(
            to: .init(
                method: "GET", path: BlobPath.path(of: hash), query: query.pairs,
                limitBytes: max(query.limitBytes, Self.statusLimitBytes))
        ) { _ in centre }
        guard answer.status == 200 else { throw answer.failure }
        guard answer.body.count <= query.limitBytes else {
            throw ProtocolError(.tooLarge, "the centre sent more of an attachment than it was asked for")
        }
        return answer.body
    }

    private static func status(_ answer: CentreAnswer) throws -> WireBlobStatus {
        guard answer.status == 200 else { throw answer.failure }
        return try WireCoding.decode(WireBlobStatus.self, from: answer.body)
    }
}
