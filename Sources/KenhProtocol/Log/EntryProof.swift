import Foundation
import KenhMerge

/// What the centre signed when it took an entry into its log: enough to show anybody, the centre itself after it was
/// restored from an older copy included, that it took the object, when, and where in the log it stood.
public struct EntryProof: Sendable, Equatable {
    public static let epochBytes = 16

    /// 16 random bytes of the log's life in which the entry was made.
    public let epoch: [UInt8]
    public let kind: WireEntryKind
    public let channel: String
    public let sequence: UInt64
    public let object: Hash256
    public let acceptedAtMilliseconds: Int64
    /// Hash of the channel's entry before; zeros for the first.
    public let previous: Hash256
    /// The serving key's, 64 bytes.
    public let signature: [UInt8]
    /// A ``Ruling`` as it was serialised; of no other kind of entry.
    public let ruling: [UInt8]

    public init(
        epoch: [UInt8], kind: WireEntryKind, channel: String, sequence: UInt64, object: Hash256,
        acceptedAtMilliseconds: Int64, previous: Hash256, signature: [UInt8], ruling: [UInt8] = []
    ) {
        self.ruling = ruling
        self.epoch = epoch
        self.kind = kind
        self.channel = channel
        self.sequence = sequence
        self.object = object
        self.acceptedAtMilliseconds = acceptedAtMilliseconds
        self.previous = previous
        self.signature = signature
    }

    /// The entry's own hash, to which the next one chains.
    public var entryHash: Hash256 {
        EntryHash.next(
            after: previous, kind: kind, channel: channel, sequence: sequence, object: object,
            acceptedAtMilliseconds: acceptedAtMilliseconds, ruling: ruling)
    }

    /// The signature of an entry: over epoch ‖ entry hash, 48 bytes.
    public static func sign(
        _ entryHash: Hash256, epoch: [UInt8], with servingKey: SigningKey
    ) throws(ProtocolError) -> [UInt8] {
        try servingKey.sign(epoch + entryHash.bytes, domain: .logEntry)
    }

    public func isGood(by keys: ServingKeys) -> Bool {
        keys.verifies(signature, of: epoch + entryHash.bytes, domain: .logEntry)
    }
}

// MARK: on the wire

extension EntryProof {
    public var wire: WireEntryProof {
        var wire = WireEntryProof()
        wire.epoch = Data(epoch)
        wire.kind = kind
        wire.channel = channel
        wire.sequence = sequence
        wire.objectHash = Data(object.bytes)
        wire.acceptedAtMs = acceptedAtMilliseconds
        wire.previous = Data(previous.bytes)
        wire.signature = Data(signature)
        wire.ruling = Data(ruling)
        return wire
    }

    /// - Throws: ``ProtocolError`` with code `malformed` where a length is wrong. The signature is not looked at.
    public init(_ wire: WireEntryProof) throws(ProtocolError) {
        guard wire.epoch.count == Self.epochBytes, let object = Hash256(bytes: wire.objectHash),
            let previous = Hash256(bytes: wire.previous), wire.sequence > 0,
            wire.kind == .ruling || wire.ruling.isEmpty
        else { throw ProtocolError(.malformed, "a log entry's proof has a wrong length") }
        self.init(
            epoch: Array(wire.epoch), kind: wire.kind, channel: wire.channel, sequence: wire.sequence, object: object,
            acceptedAtMilliseconds: wire.acceptedAtMs, previous: previous, signature: Array(wire.signature),
            ruling: Array(wire.ruling))
    }
}
