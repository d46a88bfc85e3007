/// What a hash names. The hashed bytes are the tag, one zero byte and the content.
public enum HashDomain: String, Sendable, CaseIterable {
    /// Of a block's header bytes.
    case block = "kenh-v1 block"
    /// Of a block's body as it travels.
    case blockBody = "kenh-v1 body"
    case entry = "kenh-v1 entry"
    /// Of a registry statement.
    case registry = "kenh-v1 registry"
    /// Of an organisation's root key: the organisation's fingerprint.
    case organisation = "kenh-v1 organisation"
    case erasable = "kenh-v1 erasable"
    /// Of a snapshot's manifest.
    case snapshot = "kenh-v1 snapshot"
    /// Of a snapshot's chunk, before it is compressed.
    case snapshotChunk = "kenh-v1 snapshot chunk"
    /// Of what an erasure names.
    case erasure = "kenh-v1 erasure"
    /// Of what a finality names.
    case finality = "kenh-v1 finality"
    /// Of an archive file.
    case archive = "kenh-v1 archive"
    /// Of an enrolment code's secret: the code's id.
    case code = "kenh-v1 code"
}
