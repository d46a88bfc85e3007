import Foundation
import KenhMerge
import SwiftProtobuf

/// What a block says of itself. The bytes that carry it are hashed and signed as they came.
public struct BlockHeader: Sendable, Equatable {
    public var organisation: Hash256
    public var channel: String
    public var replica: ReplicaID
    /// Alias of the officer; empty where nobody was signed in.
    public var officer: String
    public var firstCounter: UInt64
    public var count: UInt32
    public var previous: Hash256
    public var schemaVersion: UInt32
    public var firstClock: HybridClock
    public var lastClock: HybridClock
    public var isGroupStart: Bool
    public var isGroupEnd: Bool
    public var compressedSize: Int
    public var plainSize: Int
    public var bodyHash: Hash256

    public init(
        organisation: Hash256, channel: String, replica: ReplicaID, officer: String, firstCounter: UInt64,
        count: UInt32, previous: Hash256, schemaVersion: UInt32, firstClock: HybridClock, lastClock: HybridClock,
        isGroupStart: Bool, isGroupEnd: Bool, compressedSize: Int, plainSize: Int, bodyHash: Hash256
    ) {
        self.organisation = organisation
        self.channel = channel
        self.replica = replica
        self.officer = officer
        self.firstCounter = firstCounter
        self.count = count
        self.previous = previous
        self.schemaVersion = schemaVersion
        self.firstClock = firstClock
        self.lastClock = lastClock
        self.isGroupStart = isGroupStart
        self.isGroupEnd = isGroupEnd
        self.compressedSize = compressedSize
        self.plainSize = plainSize
        self.bodyHash = bodyHash
    }

    public var lastCounter: UInt64 { firstCounter + UInt64(count) - 1 }

    /// Serialises the header; only its writer does this, once.
    package func encoded() throws(ProtocolError) -> [UInt8] {
        var wire = WireBlockHeader()
        wire.format = Limits.blockFormat
        wire.organisation = Data(organisation.bytes)
        wire.channel = channel
        wire.replica = Data(replica.bytes)
        wire.officer = officer
        wire.firstCounter = firstCounter
        wire.count = count
        wire.previous = Data(previous.bytes)
        wire.schemaVersion = schemaVersion
        wire.firstClock = firstClock.rawValue
        wire.lastClock = lastClock.rawValue
        wire.group = (isGroupStart ? 1 : 0) | (isGroupEnd ? 2 : 0)
        wire.compressedSize = UInt32(compressedSize)
        wire.plainSize = UInt32(plainSize)
        wire.bodyHash = Data(bodyHash.bytes)
        do {
            return try wire.serializedBytes()
        } catch {
            throw ProtocolError(.malformed, "a block header cannot be written: \(error)")
        }
    }

    /// Reads and checks a header before anything of the body is looked at.
    public init(decoding bytes: [UInt8]) throws(ProtocolError) {
        guard bytes.count <= Limits.headerBytes else { throw ProtocolError(.tooLarge, "the block header is too large") }
        let wire: WireBlockHeader
        do {
            wire = try WireBlockHeader(serializedBytes: bytes)
        } catch {
            throw Self.malformed("is no Protocol Buffers message")
        }
        guard wire.format == Limits.blockFormat else {
            throw ProtocolError(
                .unsupportedVersion, "the block has format \(wire.format); upgrade Kenh on this machine to read it")
        }
        guard let organisation = Hash256(bytes: wire.organisation), let replica = ReplicaID(bytes: wire.replica),
            let previous = Hash256(bytes: wire.previous), let bodyHash = Hash256(bytes: wire.bodyHash)
        else { throw Self.malformed("has an id or hash of the wrong length") }
        self.init(
            organisation: organisation, channel: wire.channel, replica: replica, officer: wire.officer,
            firstCounter: wire.firstCounter, count: wire.count, previous: previous, schemaVersion: wire.schemaVersion,
            firstClock: HybridClock(rawValue: wire.firstClock), lastClock: HybridClock(rawValue: wire.lastClock),
            isGroupStart: wire.group & 1 != 0, isGroupEnd: wire.group & 2 != 0,
            compressedSize: Int(wire.compressedSize), plainSize: Int(wire.plainSize), bodyHash: bodyHash)
        guard wire.group <= 3 else { throw Self.malformed("has unknown group flags") }
        try check()
    }

    private func check() throws(ProtocolError) {
        guard (1...Limits.channelBytes).contains(channel.utf8.count), officer.utf8.count <= Limits.officerBytes else {
            throw Self.malformed("has a channel or officer of a wrong length")
        }
        guard firstCounter >= 1, (1...UInt32(Limits.changesPerBlock)).contains(count),
            firstCounter <= UInt64(Int64.max) - UInt64(count), (firstCounter == 1) == (previous == .zero)
        else { throw Self.malformed("has counters that do not fit") }
        guard firstClock <= lastClock else { throw Self.malformed("has clocks out of order") }
        guard compressedSize <= Limits.compressedBodyBytes, plainSize <= Limits.plainBodyBytes else {
            throw ProtocolError(
                .tooLarge,
                "the block declares a body of \(compressedSize) bytes that unpacks to \(plainSize), over the limit")
        }
    }

    private static func malformed(_ what: String) -> ProtocolError {
        ProtocolError(.malformed, "the block header \(what)")
    }
}
