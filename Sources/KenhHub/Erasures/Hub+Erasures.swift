import KenhMerge
import KenhProtocol
import KenhStore

extension Hub {
    /// Takes values out of the log, and makes every node take them out of what it keeps. Cannot be undone.
    ///
    /// - Throws: ``HubError`` with code `badReason`.
    public func erase(_ values: [ErasableValue], reason: String) throws -> ErasureReport {
        try checkErasure(of: values, reason: reason)
        var report = try log.write { transaction in
            var report = ErasureReport()
            for (channel, values) in Dictionary(grouping: values, by: \.channel).sorted(by: { $0.key < $1.key }) {
                let names = try values.map(\.name).filter { try transaction.block($0.block)?.channel == channel }
                for erasure in Erasure.split(names, reason: reason) {
                    try enter(try erasure.encoded, in: channel, acceptedAt: now(), transaction)
                }
                guard !names.isEmpty else { continue }
                report.values += names.count
                report.blocks += Set(names.map(\.block)).count
                report.channels.append(channel)
            }
            return report
        }
        pruneSnapshots(of: report.channels)
        report.isClean = try cleanLogIfPossible()
        return report
    }

    /// - Throws: ``HubError`` with code `badReason`: why has to be said in one short line that does not hold a value.
    public func checkErasure(of values: [ErasableValue], reason: String) throws(HubError) {
        guard Erasure.isReason(reason) else {
            throw HubError(
                .badReason,
                "say why in one line of at most \(Limits.erasureReasonBytes) bytes, without control characters")
        }
        for value in values where Self.holds(reason, value.value) {
            throw HubError(
                .badReason,
                "the reason holds what is to be erased, and every node keeps it; say it in other words, such as “left the "
                    + "union, asked on 3 May”")
        }
    }

    /// Whole words of it, or anything of four characters or more.
    private static func holds(_ reason: String, _ value: Value) -> Bool {
        let text =
            switch value {
            case .text(let bytes): String(decoding: bytes, as: UTF8.self)
            case .integer(let number): "\(number)"
            case .real(let number): "\(number)"
            case .null, .blob: ""
            }
        let (whole, part) = (reason.lowercased(), text.lowercased())
        guard !part.isEmpty else { return false }
        if part.count >= 4 { return whole.contains(part) }
        return whole.split { !$0.isLetter && !$0.isNumber }.contains { $0 == part }
    }

    /// Appends an erasure, whose bytes have been checked, and takes what it names out of the log's blocks.
    private func enter(
        _ bytes: [UInt8], in channel: String, acceptedAt: Int64, _ transaction: any HubTransaction
    ) throws {
        let entry = NewEntry(
            kind: .erasure, channel: channel, object: Erasure.hash(of: bytes), acceptedAtMilliseconds: acceptedAt,
            payload: bytes)
        _ = try append(entry, in: transaction)
        try apply(try Erasure(decoding: bytes), in: channel, transaction)
    }

    func apply(_ erasure: Erasure, in channel: String, _ transaction: any HubTransaction) throws {
        try transaction.markErased(erasure.names)
        let codec = BlockCodec()
        for part in erasure.blocks where try transaction.block(part.hash)?.channel == channel {
            guard let payload = try transaction.payload(of: part.hash) else { continue }
            let names = try transaction.erased(of: part.hash)
            var wire = try WireCoding.decode(WireBlock.self, from: payload)
            let block = try Block(wire)
            guard let erased = try block.erasing(try codec.open(block), where: names.contains) else { continue }
            wire.detached = .init(erased.detached)
            try transaction.replace(payload: try WireCoding.encode(wire), of: part.hash)
        }
    }

    /// Takes back erasures and final deletions that the log has lost. What the centre did not sign is passed over.
    /// - Returns: how many of them the log has now.
    func takeBackWhole(_ handedBack: [WireHandedBack], _ transaction: any HubTransaction) throws -> Int {
        var count = 0
        for item in handedBack where item.isWhole {
            let (erasure, finality) = (Array(item.erasure), Array(item.finality))
            let object = erasure.isEmpty ? Finality.hash(of: finality) : Erasure.hash(of: erasure)
            guard let proof = try goodProof(item.proof, of: object, transaction),
                proof.kind == (erasure.isEmpty ? .finality : .erasure), ChannelName.isValid(proof.channel)
            else { continue }
            if erasure.isEmpty { _ = try Finality(decoding: finality) } else { _ = try Erasure(decoding: erasure) }
            try openEpochIfLost(proof, transaction)
            count += 1
            if try transaction.contains(object) { continue }
            let (channel, time) = (proof.channel, proof.acceptedAtMilliseconds)
            if erasure.isEmpty {
                try enterFinality(finality, in: channel, acceptedAt: time, transaction)
            } else {
                try enter(erasure, in: channel, acceptedAt: time, transaction)
            }
        }
        return count
    }

    // MARK: the file

    /// Makes the log's file hold nothing of what was erased.
    ///
    /// - Throws: `StoreError`: `busy`, `diskFull`, …; it can be done later.
    public func cleanLog() throws {
        guard try log.read({ try $0.isUnclean }) else { return }
        try log.scrub()
    }

    func cleanLogIfPossible() throws -> Bool {
        guard try log.read({ try $0.isUnclean }) else { return true }
        do { try log.scrub() } catch { return false }
        return true
    }

    // MARK: confirmations

    /// What a device's cursors say of the erasures of their channels: nothing is written where that is known.
    func moved(
        _ cursors: [String: UInt64], of device: RegisteredDevice, _ transaction: any HubTransaction
    ) throws -> [String: Confirmation?] {
        let last = try transaction.lastErasures()
        guard !last.isEmpty else { return [:] }
        let known = try transaction.confirmations(of: device.key)
        let rights = try transaction.rights(of: device.cell)
        var moved: [String: Confirmation?] = [:]
        for (channel, newest) in last {
            guard let place = cursors[channel] else {
                // It has left the channel, and holds nothing of it.
                let isGone = !rights.role(of: device.cell, in: channel).reads
                if isGone, known[channel] != nil { moved.updateValue(nil, forKey: channel) }
                continue
            }
            let confirmed = min(place, newest)
            guard known[channel]?.sequence != confirmed else { continue }
            moved[channel] = Confirmation(sequence: confirmed, seenAtMilliseconds: now())
        }
        return moved
    }

    /// A disk that is full is no reason to give a device nothing.
    func note(
        _ moved: [String: Confirmation?], _ acknowledged: [String: UInt64], by device: RegisteredDevice
    ) {
        guard !moved.isEmpty || !acknowledged.isEmpty else { return }
        try? log.write { transaction in
            for (channel, sequence) in acknowledged {
                try transaction.acknowledge(channel, sequence, by: device.key)
            }
            for (channel, confirmation) in moved {
                try transaction.confirm(channel, confirmation, by: device.key)
            }
        }
    }

    /// The log's erasures, in its order, and who has not confirmed each.
    public func erasures() throws -> [ErasureSummary] {
        try log.read { transaction in
            let devices = try transaction.devices().filter { $0.revokedAtMilliseconds == nil }
            let confirmed = try devices.map { try transaction.confirmations(of: $0.key) }
            let rights = Rights(grants: try transaction.grants(of: nil), roles: try transaction.roles())
            return try transaction.erasures().map { entry in
                let erasure = try Erasure(decoding: entry.payload)
                let waiting = zip(devices, confirmed).filter { device, confirmed in
                    let known = confirmed[entry.channel]?.sequence
                    guard known != nil || rights.role(of: device.cell, in: entry.channel).reads else { return false }
                    return known ?? 0 < entry.sequence
                }
                return ErasureSummary(
                    channel: entry.channel, sequence: entry.sequence,
                    acceptedAtMilliseconds: entry.acceptedAtMilliseconds, reason: erasure.reason,
                    values: erasure.names.count, blocks: erasure.blocks.count,
                    columns: Set(erasure.names.map(\.column)).sorted(), waiting: waiting.map(\.0))
            }
        }
    }
}

extension WireHandedBack {
    /// An erasure or a final deletion, which come whole.
    var isWhole: Bool { !erasure.isEmpty || !finality.isEmpty }
}
