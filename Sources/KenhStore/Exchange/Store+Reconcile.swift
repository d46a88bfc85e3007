import Foundation
import KenhMerge
import KenhProtocol

/// What a store does when the centre's log is not the one that it followed.
extension Store {
    public func logRecord(as identity: StoreIdentity) throws(StoreError) -> LogRecord {
        try reading { core in
            let statements = try RegistryTable(sql: core.sql).statements(after: 0)
            return LogRecord(
                replica: try core.replica(of: identity),
                channels: try core.channels.all.map { try Self.record(of: $0, statements, core) },
                ownStatements: Self.own(statements, of: identity.key.publicKey),
                checkpoint: try CheckpointTable(sql: core.sql).newest(),
                certificates: try Self.severalCertificates(core))
        }
    }

    private static func severalCertificates(_ core: StoreCore) throws -> [WireSignedStatement] {
        let all = try CentreFacts.certificates { try core.meta.value($0) }?.signed ?? []
        return all.count > 1 ? all : []
    }

    private static func record(
        of channel: ChannelBook.Channel, _ statements: [Delivery.Statement], _ core: StoreCore
    ) throws -> LogRecord.Channel {
        let cursor = channel.cursor
        var newest = [cursor.proof].compactMap { $0 }
        var places: [LogRecord.Place] = []
        if cursor.sequence > 0 { places.append(.init(sequence: cursor.sequence, logHash: cursor.logHash)) }
        // A receipt may be for an entry that was not followed yet.
        if let last = try core.blocks.proof(channel: channel.number, upTo: .max), last.sequence > cursor.sequence {
            newest.append(last)
        }
        var back: UInt64 = 1
        while cursor.sequence > back, places.count < Limits.placesPerChannel {
            let sequence = cursor.sequence - back
            let proof =
                channel.name == ChannelName.registry
                ? statements.last { $0.proof.sequence <= sequence }?.proof
                : try core.blocks.proof(channel: channel.number, upTo: sequence)
            if let proof, proof.sequence < places.last?.sequence ?? 0 {
                places.append(.init(sequence: proof.sequence, logHash: proof.entryHash))
            }
            let (doubled, isOver) = back.multipliedReportingOverflow(by: 2)
            if isOver { break }
            back = doubled
        }
        return LogRecord.Channel(name: channel.name, places: places, newest: newest)
    }

    private static func own(_ statements: [Delivery.Statement], of key: PublicKey) -> [Delivery.Statement] {
        let read = statements.map { statement in
            (statement, try? WireCoding.decode(WireRegistryStatement.self, from: Array(statement.signed.statement)))
        }
        let cell = read.compactMap { _, what -> String? in
            guard let added = what?.deviceAdded, added.key.elementsEqual(key.bytes) else { return nil }
            return added.cell
        }.last
        return read.filter { _, what in
            switch what?.what {
            case .cellAdded(let added): added.code == cell
            case .deviceAdded(let added): added.key.elementsEqual(key.bytes)
            case .replicaAdded(let added): added.deviceKey.elementsEqual(key.bytes)
            case .epochOpened, .deviceRevoked, .roleDefined, .granted, .servingKeyAdded, nil: false
            }
        }.map(\.0)
    }

    /// Everything that the log had above the common places, in its order: statements, erasures and final deletions whole,
    /// then blocks by name and proof.
    /// Then what it has, and once took earlier than it says.
    public func offers(above common: [String: LogRecord.Place]) throws(StoreError) -> [WireHandedBack] {
        try reading { core in
            let registry = common[ChannelName.registry]?.sequence ?? 0
            var offers = try RegistryTable(sql: core.sql).statements(after: registry).map(\.wire)
            for channel in core.channels.all {
                let place = common[channel.name]?.sequence ?? 0
                offers += try core.erasures.all(channel: channel.name, after: place).map(\.wire)
                offers += try core.finals.all(channel: channel.name, after: place).map(\.wire)
            }
            for channel in core.channels.all {
                let place = common[channel.name]?.sequence ?? 0
                for (hash, proof) in try core.blocks.accepted(channel: channel.number, above: place) {
                    var offer = WireHandedBack()
                    if let proof { offer.proof = proof.wire }
                    offer.proof.objectHash = Data(hash.bytes)
                    offers.append(offer)
                }
            }
            let offered = Set(offers.map(\.proof.objectHash))
            for (hash, proof) in try core.blocks.owed() where !offered.contains(Data(hash.bytes)) {
                var offer = WireHandedBack()
                offer.proof = proof.wire
                offers.append(offer)
            }
            return offers
        }
    }

    /// The offered blocks themselves, up to a number of bytes (but at least one).
    public func handBack(_ offers: [WireHandedBack], limitBytes: Int) throws(StoreError) -> [WireHandedBack] {
        try reading { core in
            var result: [WireHandedBack] = []
            var bytes = 0
            for offer in offers {
                guard let hash = Hash256(bytes: offer.proof.objectHash), let block = try core.blocks.block(hash) else {
                    continue
                }
                bytes += block.byteCount
                if !result.isEmpty, bytes > limitBytes { break }
                var item = offer
                item.block = block.wire
                result.append(item)
            }
            return result
        }
    }

    /// Goes on from the common places, in the centre's epoch. What was acknowledged above them and is not in the log
    /// is unsent again.
    public func adopt(_ adoption: Adoption, as identity: StoreIdentity) throws(StoreError) {
        let items = adoption.acceptances.sorted { $0.key < $1.key }.map {
            Delivery.Item(hash: $0.key, block: nil, acceptance: $0.value)
        }
        try transaction { db, core in
            for channel in core.channels.all { try Self.adopt(adoption, channel, core) }
            _ = try takeIn(Delivery(items: items), identity, db, core)
            guard adoption.handedBackBlocks > 0 else { return }
            try core.notice(
                "rewound", at: now,
                "the centre was restored from an older copy: this device handed back "
                    + "\(adoption.handedBackBlocks) blocks that it lacked")
        }
    }

    private static func adopt(_ adoption: Adoption, _ channel: ChannelBook.Channel, _ core: StoreCore) throws {
        let place = adoption.common[channel.name] ?? LogRecord.Place(sequence: 0, logHash: .zero)
        let isWhereItWas = place.sequence == channel.cursor.sequence && place.logHash == channel.cursor.logHash
        try core.channels.set(
            ChannelCursor(
                channel: channel.name, epoch: place.sequence > 0 ? adoption.epoch : [], sequence: place.sequence,
                logHash: place.logHash, proof: isWhereItWas ? channel.cursor.proof : nil))
        try core.blocks.forgetPlaces(channel: channel.number, above: place.sequence)
    }
}
