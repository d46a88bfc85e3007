import Foundation
import KenhMerge
import KenhProtocol
import KenhStore

/// The centre's attachments: their bytes, and what was given where. Knows nothing of rights.
///
/// Uploads go one after another; what was answered is durable.
public final class BlobShelf: Sendable {
    public let rules: BlobRules
    private let index: any BlobIndex
    private let files: any BlobFiles
    private let clock: @Sendable () -> Int64
    private let lock = NSLock()

    /// - Parameter clock: milliseconds since 1970.
    public init(
        index: any BlobIndex, files: any BlobFiles, rules: BlobRules = BlobRules(),
        clock: @escaping @Sendable () -> Int64
    ) {
        self.index = index
        self.files = files
        self.rules = rules
        self.clock = clock
    }

    /// A whole one that was given in the channel and whose bytes are here; nil else.
    public func whole(_ hash: Hash256, in channel: String) throws -> WireBlobStatus? {
        guard let blob = try index.given(hash, in: channel), try files.size(of: hash) == blob.size else { return nil }
        return WireBlobStatus(size: blob.size, have: blob.size, type: blob.type)
    }

    /// The same, or how far this device's own upload is.
    public func status(_ hash: Hash256, in channel: String, for device: [UInt8]) throws -> WireBlobStatus? {
        if let whole = try whole(hash, in: channel) { return whole }
        return try index.upload(of: hash, in: channel, by: device).map(\.status)
    }

    public func read(_ hash: Hash256, from offset: UInt64, limit: Int) throws -> [UInt8] {
        try files.read(hash, from: offset, limit: limit)
    }

    /// Takes a piece of an upload.
    ///
    /// - Parameter upload: with `have` where the piece begins; its number does not count.
    /// - Throws: ``HubError``: `blobOffset`, `uploadQuota`; ``ProtocolError``: `malformed`, `badDigest`; `StoreError`.
    public func take(_ piece: [UInt8], of upload: BlobUpload) throws -> WireBlobStatus {
        try lock.withLock {
            if let whole = try whole(upload.hash, in: upload.channel) { return whole }
            let (end, overflow) = upload.have.addingReportingOverflow(UInt64(piece.count))
            guard !overflow, end <= upload.size, !piece.isEmpty else {
                throw ProtocolError(.malformed, "the piece is empty, or goes beyond the size of the attachment")
            }
            let known = try continued(upload)
            let have = known?.have ?? 0
            if end <= have, let known { return known.status }
            guard upload.have == have else { throw Self.wrongOffset(known?.status ?? upload.nothing) }
            var current = try known ?? begin(upload)
            try files.write(piece, toPart: current.partName, at: have, isDurable: true)
            current.have = end
            current.changedAtMilliseconds = clock()
            guard end == current.size else {
                try index.advance(current)
                return current.status
            }
            return try finish(current)
        }
    }

    private static func wrongOffset(_ status: WireBlobStatus) -> HubError {
        HubError(
            .blobOffset, "the centre has \(status.have) bytes of the attachment; go on from there", recovery: .retry,
            blob: status)
    }

    /// The device's upload, if the request goes on with it and its bytes are what was noted of them.
    private func continued(_ upload: BlobUpload) throws -> BlobUpload? {
        guard let known = try index.upload(of: upload.hash, in: upload.channel, by: upload.device) else { return nil }
        let size = try files.partSize(known.partName)
        guard known.size == upload.size, known.type == upload.type, size >= known.have else {
            try drop(known)
            return nil
        }
        // Written before a power cut, and never noted.
        if size > known.have { try files.cutPart(known.partName, to: known.have) }
        return known
    }

    private func begin(_ upload: BlobUpload) throws -> BlobUpload {
        try sweep()
        guard try index.uploads().count(where: { $0.device == upload.device }) < BlobRules.unfinishedUploads else {
            throw HubError(
                .uploadQuota,
                "this device has begun \(BlobRules.unfinishedUploads) uploads and not ended them; end those first",
                recovery: .retry)
        }
        var upload = upload
        upload.changedAtMilliseconds = clock()
        return try index.begin(upload)
    }

    private func finish(_ upload: BlobUpload) throws -> WireBlobStatus {
        guard try files.finish(upload.partName, as: upload.hash) else {
            try index.drop(upload)
            throw ProtocolError(
                .badDigest, "the attachment's bytes do not have the SHA-256 that it is named by; send it anew",
                recovery: .retry)
        }
        try index.end(
            upload,
            giving: GivenBlob(
                hash: upload.hash, channel: upload.channel, size: upload.size, type: upload.type,
                device: upload.device, givenAtMilliseconds: clock()))
        return WireBlobStatus(size: upload.size, have: upload.size, type: upload.type)
    }

    private func drop(_ upload: BlobUpload) throws {
        try files.removePart(upload.partName)
        try index.drop(upload)
    }

    /// Drops uploads that nobody goes on with, and unfinished files that belong to none.
    private func sweep() throws {
        let oldest = clock() - BlobRules.unfinishedMilliseconds
        for upload in try index.uploads() where upload.changedAtMilliseconds < oldest { try drop(upload) }
        let known = Set(try index.uploads().map(\.partName))
        for part in try files.parts() where !known.contains(part.name) { try files.removePart(part.name) }
    }

    /// Reads every attachment and compares it with its name. A damaged one is set aside, so that it counts as lacking and
    /// whoever has it gives it again.
    ///
    /// - Parameter progress: told how many of how many are done.
    /// - Returns: how many are good, and what is wrong, one sentence each.
    public func verify(progress: ((Int, Int) -> Void)? = nil) throws -> (good: Int, problems: [String]) {
        let hashes = Set(try index.allGiven().map(\.hash)).sorted()
        var problems: [String] = []
        for (done, hash) in hashes.enumerated() {
            switch try files.isGood(hash) {
            case true?: break
            case nil: problems.append("the attachment \(hash) is lacking; cells that have it give it again")
            case false?:
                try files.setAside(hash)
                problems.append("the attachment \(hash) is damaged and was set aside; cells that have it give it again")
            }
            progress?(done + 1, hashes.count)
        }
        return (hashes.count - problems.count, problems)
    }
}

extension BlobUpload {
    var status: WireBlobStatus { WireBlobStatus(size: size, have: have, type: type) }
    /// Of an upload of which nothing is here.
    fileprivate var nothing: WireBlobStatus { WireBlobStatus(size: size, have: 0, type: type) }
}

extension WireBlobStatus {
    init(size: UInt64, have: UInt64, type: String) {
        self.init()
        (self.size, self.have, self.type) = (size, have, type)
    }
}
