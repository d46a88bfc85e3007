import Foundation
import KenhCell
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

/// The centre of a simulated organisation: hub, log and merged view, on one disk, without a network.
public final class SimulatedCentre {
    public let node: SimulatedNode
    private let identity: HubIdentity
    private let epoch: [UInt8]
    private var open: (hub: Hub, log: FaultyLog, view: CentreView)?
    private var openBlobs: HubBlobs?
    /// Beside the disk, so that faults do not reach it: a file is there whole before the log names it.
    let archives = ArchiveShelf(
        FileManager.default.temporaryDirectory.appending(path: "kenh-sim-archives-\(UUID().uuidString)"))

    init(node: SimulatedNode, identity: HubIdentity, epoch: [UInt8]) {
        self.node = node
        self.identity = identity
        self.epoch = epoch
    }

    deinit { for folder in archives.folders { try? FileManager.default.removeItem(at: folder) } }

    var servingKey: PublicKey { identity.servingKey.publicKey }

    private func parts() throws -> (hub: Hub, log: FaultyLog, view: CentreView) {
        if let open { return open }
        let log = FaultyLog(
            try SQLiteLog(
                path: node.disk.path("log.db"), newEpoch: epoch, openedAtMilliseconds: node.clock.milliseconds,
                archives: archives, durability: node.limits.durability))
        let hub = Hub(
            log: log, identity: identity, clock: { [clock = node.clock] in clock.milliseconds },
            random: { [random = node.random] in random.make() })
        let view = try CentreView(store: try node.store(), hub: hub, identity: node.identity)
        open = (hub, log, view)
        return (hub, log, view)
    }

    func hub() throws -> Hub { try parts().hub }

    /// Nil where the centre is not running.
    var openLog: FaultyLog? { open?.log }

    func log() throws -> FaultyLog { try parts().log }

    func catchUp() throws { try parts().view.catchUp() }

    func settleDeletions(patience: Int64) throws -> DeletionReport {
        try parts().view.settleDeletions(patience: patience)
    }

    func close() {
        (open, openBlobs) = (nil, nil)
        node.close()
    }

    /// - Returns: whether it was down.
    @discardableResult
    func rise() -> Bool {
        if node.disk.isDown { (open, openBlobs) = (nil, nil) }
        return node.rise()
    }

    func putBack(_ copy: RAMDisk) {
        (open, openBlobs) = (nil, nil)
        node.putBack(copy)
    }

    // MARK: what it answers

    /// What the signer of a request is answered.
    func answer(_ parcel: Parcel, from key: PublicKey) throws -> Parcel {
        let body = try inTheCellsWords {
            let hub = try parts().hub
            let body = try parcel.opened()
            switch parcel.route {
            case .reconcile:
                let request = try WireCoding.decode(WireReconcileRequest.self, from: body)
                return try WireCoding.encode(try hub.reconcile(request, from: key))
            case .sync:
                guard let device = try hub.device(key.bytes) else {
                    throw ProtocolError(.unknownDevice, "the device is not registered", recovery: .resync)
                }
                let request = try WireCoding.decode(WireSyncRequest.self, from: body)
                return try WireCoding.encode(try hub.sync(request, from: device))
            }
        }
        // Whatever the dead had in hand reaches nobody.
        guard !node.disk.isDown else { throw CellError(.unreachable, "the centre fell silent", recovery: .retry) }
        return Parcel(body, nonce: parcel.nonce)
    }

    /// What the signer of a request for an attachment is answered.
    func blobs<T>(for key: PublicKey, _ body: (HubBlobs, RegisteredDevice) throws -> T) throws -> T {
        try inTheCellsWords {
            let hub = try parts().hub
            guard let device = try hub.device(key.bytes) else {
                throw ProtocolError(.unknownDevice, "the device is not registered", recovery: .resync)
            }
            let blobs = try openBlobs ?? HubBlobs(hub: hub, shelf: shelf())
            openBlobs = blobs
            return try body(blobs, device)
        }
    }

    private func shelf() throws -> BlobShelf {
        BlobShelf(
            index: try SQLiteBlobIndex(path: node.disk.path("blobs.db")), files: node.blobs,
            clock: { [clock = node.clock] in clock.milliseconds })
    }

    /// `POST /v1/enroll`, with a code as somebody typed it from paper.
    func enroll(cell: String, _ identity: StoreIdentity) throws {
        let hub = try hub()
        try hub.addCell(code: cell, name: "Cell \(cell)")
        let code = try EnrolmentCode(typed: try hub.issueCode(cell: cell).text)
        var request = WireEnrollRequest()
        request.protocol = Limits.protocolVersion
        request.codeID = Data(code.codeID)
        request.deviceKey = Data(identity.key.publicKey.bytes)
        request.replica = Data(identity.replica.bytes)
        request.deviceName = "laptop of \(cell)"
        request.proof = Data(
            code.proof(
                organisation: identity.organisation, deviceKey: identity.key.publicKey, replica: identity.replica))
        let claim = Enrolment.claim(
            organisation: identity.organisation, key: identity.key.publicKey, replica: identity.replica)
        request.countersignature = Data(try identity.key.sign(claim, domain: .enrolment))
        let sent = try WireCoding.decode(WireEnrollRequest.self, from: try WireCoding.encode(request))
        let response = try hub.enroll(sent)
        guard response.cell == cell else { throw SimulationFailure("the centre entered \(cell) as \(response.cell)") }
    }

    /// Errors as the HTTP exchange brings them to a cell.
    private func inTheCellsWords<T>(_ body: () throws -> T) throws -> T {
        do { return try Hub.translatingErrors(body) } catch let error as ProtocolError {
            throw Self.refusal(error.message, error.recovery)
        } catch let error as HubError {
            throw Self.refusal(error.message, error.recovery)
        }
    }

    private static func refusal(_ message: String, _ recovery: ProtocolError.Recovery) -> CellError {
        let recovery = CellError.Recovery(rawValue: recovery.rawValue) ?? .askAPerson
        return CellError(recovery == .resync ? .diverged : .refused, message, recovery: recovery)
    }
}
