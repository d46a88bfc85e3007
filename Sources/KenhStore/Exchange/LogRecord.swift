import Foundation
import KenhMerge
import KenhProtocol

/// What a store can say of the centre's log as it followed it, to compare it with the log as it is.
public struct LogRecord: Sendable {
    public struct Place: Sendable, Equatable {
        public let sequence: UInt64
        public let logHash: Hash256

        public init(sequence: UInt64, logHash: Hash256) {
            self.sequence = sequence
            self.logHash = logHash
        }
    }

    public struct Channel: Sendable {
        public let name: String
        /// Newest first, then ever further back.
        public let places: [Place]
        /// The newest entries that can be proved.
        public let newest: [EntryProof]

        public init(name: String, places: [Place], newest: [EntryProof]) {
            self.name = name
            self.places = places
            self.newest = newest
        }
    }

    public let replica: ReplicaID
    public let channels: [Channel]
    /// What the registry says of this very device: without it a centre that forgot the device would not listen.
    public let ownStatements: [Delivery.Statement]
    /// The newest of the centre's log.
    public let checkpoint: KeptCheckpoint?
    /// Of the centre's keys, where it has had several: one that was restored may have forgotten some.
    public let certificates: [WireSignedStatement]

    public init(
        replica: ReplicaID, channels: [Channel], ownStatements: [Delivery.Statement], checkpoint: KeptCheckpoint? = nil,
        certificates: [WireSignedStatement] = []
    ) {
        self.certificates = certificates
        self.checkpoint = checkpoint
        self.replica = replica
        self.channels = channels
        self.ownStatements = ownStatements
    }
}

extension LogRecord.Channel {
    var wire: WireChannelPlaces {
        var wire = WireChannelPlaces()
        wire.channel = name
        wire.places = places.map { place in
            var wire = WireLogPlace()
            wire.sequence = place.sequence
            wire.logHash = Data(place.logHash.bytes)
            return wire
        }
        wire.newest = newest.map(\.wire)
        return wire
    }
}

extension Delivery.Statement {
    var wire: WireHandedBack {
        var wire = WireHandedBack()
        wire.proof = proof.wire
        wire.registry = signed
        return wire
    }
}

extension Delivery.Erasure {
    var wire: WireHandedBack {
        var wire = WireHandedBack()
        wire.proof = proof.wire
        wire.erasure = Data(bytes)
        return wire
    }
}

extension Delivery.Finality {
    var wire: WireHandedBack {
        var wire = WireHandedBack()
        wire.proof = proof.wire
        wire.finality = Data(bytes)
        return wire
    }
}

/// What a store takes over at the end of a reconciliation, as one transaction.
public struct Adoption: Sendable {
    public let epoch: [UInt8]
    /// By channel, the newest place that the centre's log shares with what was followed.
    public let common: [String: LogRecord.Place]
    /// Where the centre's log has the blocks above that now.
    public let acceptances: [Hash256: Delivery.Acceptance]
    public let handedBackBlocks: Int

    public init(
        epoch: [UInt8], common: [String: LogRecord.Place], acceptances: [Hash256: Delivery.Acceptance],
        handedBackBlocks: Int
    ) {
        self.epoch = epoch
        self.common = common
        self.acceptances = acceptances
        self.handedBackBlocks = handedBackBlocks
    }
}
