import KenhMerge
import KenhProtocol

/// What became of quarantined blocks.
public struct QuarantineReport: Sendable, Equatable {
    public internal(set) var accepted = 0
    public internal(set) var dropped = 0
    /// Why others stay where they are, one sentence each.
    public internal(set) var refusals: [String] = []
}

extension Hub {
    public func devices() throws -> [RegisteredDevice] { try log.read { try $0.devices() } }

    /// Takes nothing from a device any more, and sends it nothing: it was stolen, or has left. What the log has of it
    /// stays; what it still hands in is kept aside.
    public func revoke(_ key: PublicKey, reason: String) throws {
        try log.write { transaction in
            guard let device = try transaction.device(key.bytes) else {
                throw HubError(.deviceUnknown, "there is no such device; see kenh central device list")
            }
            guard !device.cell.isEmpty else {
                throw HubError(.deviceUnknown, "this is the centre's own device, which cannot be revoked")
            }
            guard device.revokedAtMilliseconds == nil else { return }
            try transaction.revoke(key, atMilliseconds: now())
            var revoked = WireDeviceRevoked()
            revoked.key = .init(key.bytes)
            revoked.reason = String(reason.prefix(200))
            try state(.deviceRevoked(revoked), in: transaction)
        }
    }

    /// - Parameter handIn: takes what the device brings, where it is revoked.
    /// - Throws: ``ProtocolError`` with code `revoked`.
    func refuseRevoked(
        _ key: PublicKey, handIn: (any HubTransaction) throws -> Void = { _ in }
    ) throws {
        guard try log.read({ try $0.device(key.bytes) })?.revokedAtMilliseconds != nil else { return }
        try log.write { try handIn($0) }
        throw ProtocolError(
            .revoked,
            "this device was revoked: it gets nothing any more, and what it had not sent is kept aside at the centre; "
                + "speak to the centre's administrator", recovery: .askAPerson)
    }

    // MARK: the quarantine

    public func quarantined(of writer: PublicKey? = nil) throws -> [QuarantinedBlock] {
        try log.read { try $0.quarantined(of: writer) }
    }

    /// Takes blocks out of the quarantine into the log, as if they had come before the revocation.
    /// - Parameter isWanted: which.
    public func acceptQuarantined(where isWanted: (QuarantinedBlock) -> Bool) throws -> QuarantineReport {
        try log.write { transaction in
            var report = QuarantineReport()
            for block in try transaction.quarantined(of: nil) where isWanted(block) {
                var admission = BlockAdmission(hub: self, sender: block.sender, transaction: transaction)
                admission.takesRevoked = true
                let wire = try WireCoding.decode(WireBlock.self, from: block.payload)
                try addReplica(try BlockHeader(decoding: Array(wire.header)).replica, of: block.writer, transaction)
                let receipt = try admission.receipt(for: wire)
                guard receipt.verdict == .accepted || receipt.verdict == .alreadyHad else {
                    report.refusals.append("\(block.hash): \(receipt.message)")
                    continue
                }
                try transaction.leaveQuarantine(block.hash)
                report.accepted += 1
            }
            return report
        }
    }

    /// Drops blocks for good.
    public func dropQuarantined(where isUnwanted: (QuarantinedBlock) -> Bool) throws -> QuarantineReport {
        try log.write { transaction in
            var report = QuarantineReport()
            for block in try transaction.quarantined(of: nil) where isUnwanted(block) {
                try transaction.leaveQuarantine(block.hash)
                report.dropped += 1
            }
            return report
        }
    }
}
