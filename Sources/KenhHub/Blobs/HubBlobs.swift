import KenhMerge
import KenhProtocol

/// `PUT` and `GET /v1/blobs/…`: who may give and have an attachment. Beside the hub and not in it, so that a centre can
/// do without.
public struct HubBlobs: Sendable {
    private let hub: Hub
    private let shelf: BlobShelf

    public init(hub: Hub, shelf: BlobShelf) {
        self.hub = hub
        self.shelf = shelf
    }

    /// - Throws: ``ProtocolError``: `revoked`, `forbidden`, `malformed`, `tooLarge`, `typeNotAllowed`, `badDigest`;
    ///   ``HubError``: `blobOffset`, `uploadQuota`.
    public func put(
        _ hash: Hash256, _ query: BlobQuery, piece: [UInt8], from device: RegisteredDevice
    ) throws -> WireBlobStatus {
        guard try role(of: device, in: query.channel).writes else {
            throw ProtocolError(
                .forbidden, "the cell \(device.cell) may not write in the channel \(query.channel), nor attach there",
                recovery: .askAPerson)
        }
        guard let size = query.size, let type = query.type else {
            throw ProtocolError(.malformed, "the query lacks the attachment's size or type")
        }
        try shelf.rules.check(size: size, type: type)
        return try shelf.take(
            piece,
            of: BlobUpload(
                number: 0, hash: hash, channel: query.channel, device: device.key.bytes, size: size, type: type,
                have: query.offset, changedAtMilliseconds: 0))
    }

    /// Nothing is said of what was given elsewhere: whether there is such an attachment is nobody's business who may not
    /// have it.
    ///
    /// - Throws: ``ProtocolError``: `revoked`, `notFound`.
    public func status(_ hash: Hash256, _ query: BlobQuery, for device: RegisteredDevice) throws -> WireBlobStatus {
        let role = try role(of: device, in: query.channel)
        guard role.reads || role.writes,
            let status = try shelf.status(hash, in: query.channel, for: device.key.bytes)
        else { throw Self.notFound }
        return status
    }

    /// A piece from the query's offset on.
    ///
    /// - Throws: ``ProtocolError``: `revoked`, `notFound`; ``HubError``: `blobOffset` beyond the end.
    public func piece(_ hash: Hash256, _ query: BlobQuery, for device: RegisteredDevice) throws -> [UInt8] {
        guard try role(of: device, in: query.channel).reads, let status = try shelf.whole(hash, in: query.channel)
        else {
            throw Self.notFound
        }
        guard query.offset <= status.size else {
            throw HubError(
                .blobOffset, "the attachment has \(status.size) bytes; ask from within it", recovery: .retry,
                blob: status)
        }
        return try shelf.read(hash, from: query.offset, limit: query.limitBytes)
    }

    private func role(of device: RegisteredDevice, in channel: String) throws -> Role {
        try hub.refuseRevoked(device.key)
        return try hub.log.read { try $0.rights(of: device.cell).role(of: device.cell, in: channel) }
    }

    private static let notFound = ProtocolError(
        .notFound, "the centre has no such attachment in this channel; try again later", recovery: .retry)
}
