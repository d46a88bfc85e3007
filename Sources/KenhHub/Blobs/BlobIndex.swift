import KenhMerge
import KenhProtocol

/// That an attachment was given in a channel: whoever reads the channel may have it.
public struct GivenBlob: Sendable, Equatable {
    public let hash: Hash256
    public let channel: String
    /// Bytes.
    public let size: UInt64
    /// Media type.
    public let type: String
    /// Key of the device that gave it.
    public let device: [UInt8]
    public let givenAtMilliseconds: Int64

    public init(
        hash: Hash256, channel: String, size: UInt64, type: String, device: [UInt8], givenAtMilliseconds: Int64
    ) {
        self.hash = hash
        self.channel = channel
        self.size = size
        self.type = type
        self.device = device
        self.givenAtMilliseconds = givenAtMilliseconds
    }
}

/// An upload that has begun and not ended. Each device has its own, so that nobody goes on with another's bytes.
public struct BlobUpload: Sendable, Equatable {
    /// Names the unfinished file.
    public let number: Int64
    public let hash: Hash256
    public let channel: String
    public let device: [UInt8]
    public let size: UInt64
    public let type: String
    /// Bytes that are durable.
    public var have: UInt64
    public var changedAtMilliseconds: Int64

    public init(
        number: Int64, hash: Hash256, channel: String, device: [UInt8], size: UInt64, type: String, have: UInt64 = 0,
        changedAtMilliseconds: Int64
    ) {
        self.number = number
        self.hash = hash
        self.channel = channel
        self.device = device
        self.size = size
        self.type = type
        self.have = have
        self.changedAtMilliseconds = changedAtMilliseconds
    }

    public var partName: String { String(number) }
}

/// What the centre knows of attachments beside their bytes. Each call is durable when it returns; one at a time.
public protocol BlobIndex: Sendable {
    func given(_ hash: Hash256, in channel: String) throws -> GivenBlob?
    /// By hash and channel.
    func allGiven() throws -> [GivenBlob]
    func upload(of hash: Hash256, in channel: String, by device: [UInt8]) throws -> BlobUpload?
    func uploads() throws -> [BlobUpload]
    /// Begins one; its number is new.
    func begin(_ upload: BlobUpload) throws -> BlobUpload
    func advance(_ upload: BlobUpload) throws
    func drop(_ upload: BlobUpload) throws
    /// Ends an upload that is whole.
    func end(_ upload: BlobUpload, giving blob: GivenBlob) throws
}
