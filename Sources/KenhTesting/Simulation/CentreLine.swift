import KenhCell
import KenhMerge
import KenhProtocol

/// The line as a running sync sees it: what is sent now is answered some events later.
struct CentreLine: SyncLink {
    /// Gives a request to the line, and waits for the body of an answer to it.
    let exchange: (Parcel, WireSyncRequest?) throws -> [UInt8]
    let nonce: () -> UInt64
    /// Decodes an answer, and may spoil what is in it.
    let received: ([UInt8]) throws -> WireSyncResponse

    func sync(_ request: WireSyncRequest) throws -> WireSyncResponse {
        try received(try exchange(Parcel(try WireCoding.encode(request), nonce: nonce()), request))
    }

    func reconcile(_ request: WireReconcileRequest) throws -> WireReconcileResponse {
        let parcel = Parcel(try WireCoding.encode(request), nonce: nonce(), route: .reconcile)
        return try WireCoding.decode(WireReconcileResponse.self, from: try exchange(parcel, nil))
    }
}

/// A line that works, for the time after healing.
struct MendedLine: SyncLink {
    let answer: (Parcel) throws -> Parcel
    /// Nil of one over which nobody asks for snapshots.
    var snapshots: SimulatedSnapshots?

    var takesSnapshots: Bool { snapshots != nil }

    func snapshot(of channel: String) throws -> WireSnapshotResponse {
        guard let snapshots else { throw CellError(.refused, "there are none", recovery: .stop) }
        return try snapshots.snapshot(of: channel)
    }

    func snapshotChunk(_ hash: Hash256, in channel: String) throws -> [UInt8] {
        guard let snapshots else { throw CellError(.refused, "there are none", recovery: .stop) }
        return try snapshots.chunk(hash, in: channel)
    }

    func sync(_ request: WireSyncRequest) throws -> WireSyncResponse {
        let parcel = Parcel(try WireCoding.encode(request), nonce: 0)
        return try WireCoding.decode(WireSyncResponse.self, from: try answer(parcel).opened(for: 0))
    }

    func reconcile(_ request: WireReconcileRequest) throws -> WireReconcileResponse {
        let parcel = Parcel(try WireCoding.encode(request), nonce: 0, route: .reconcile)
        return try WireCoding.decode(WireReconcileResponse.self, from: try answer(parcel).opened(for: 0))
    }
}
