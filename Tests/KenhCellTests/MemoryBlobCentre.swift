import Foundation
import KenhCell
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Synchronization

/// A centre's attachments in memory, with failures as a test wants them.
final class MemoryBlobCentre: BlobLink, Sendable {
    struct State {
        /// Whole ones by channel and hash.
        var whole: [String: SampleBlob] = [:]
        var unfinished: [String: [UInt8]] = [:]
        /// What is thrown instead of an answer, by the number of the call.
        var failures: [Int: any Error & Sendable] = [:]
        var calls = 0
        /// Fails for these whatever is asked.
        var refused: [Hash256: CellError] = [:]
        /// After an answer was lost on its way the request has been done all the same.
        var losesAnswer: Set<Int> = []
        /// Given instead of the true bytes.
        var lies: [Hash256: [UInt8]] = [:]
        var pieces: [Int] = []
    }

    let state = Mutex(State())

    static let lost = CellError(.unreachable, "the line is down", recovery: .retry)

    private static func key(_ hash: Hash256, _ channel: String) -> String { channel + " " + hash.bytes.hex }

    func give(_ blob: SampleBlob, in channel: String) {
        state.withLock { $0.whole[Self.key(blob.hash, channel)] = blob }
    }

    func has(_ blob: SampleBlob, in channel: String) -> Bool {
        state.withLock { $0.whole[Self.key(blob.hash, channel)]?.bytes == blob.bytes }
    }

    func forget() { state.withLock { $0.whole = [:] } }

    private func call<T>(_ hash: Hash256, _ body: (inout State) throws -> T) throws -> T {
        try state.withLock { state in
            state.calls += 1
            if let refusal = state.refused[hash] { throw refusal }
            if let failure = state.failures[state.calls] { throw failure }
            let result = try body(&state)
            if state.losesAnswer.contains(state.calls) { throw Self.lost }
            return result
        }
    }

    private static func status(_ size: UInt64, _ have: Int) -> WireBlobStatus {
        var status = WireBlobStatus()
        (status.size, status.have, status.type) = (size, UInt64(have), "image/png")
        return status
    }

    func status(of hash: Hash256, in channel: String) throws -> WireBlobStatus? {
        try call(hash) { state in
            let key = Self.key(hash, channel)
            if let whole = state.whole[key] { return Self.status(whole.size, whole.bytes.count) }
            return state.unfinished[key].map { Self.status(UInt64($0.count) + 1, $0.count) }
        }
    }

    func put(_ piece: [UInt8], of hash: Hash256, _ query: BlobQuery) throws -> WireBlobStatus {
        try call(hash) { state in
            let key = Self.key(hash, query.channel)
            let size = query.size ?? 0
            if let whole = state.whole[key] { return Self.status(whole.size, whole.bytes.count) }
            var have = state.unfinished[key] ?? []
            guard query.offset == UInt64(have.count) else { return Self.status(size, have.count) }
            have += piece
            state.pieces.append(piece.count)
            state.unfinished[key] = have
            guard UInt64(have.count) == size else { return Self.status(size, have.count) }
            state.unfinished[key] = nil
            let blob = SampleBlob(bytes: have)
            guard blob.hash == hash else { throw CellError(.refused, "other bytes", recovery: .retry) }
            state.whole[key] = blob
            return Self.status(size, have.count)
        }
    }

    func piece(of hash: Hash256, _ query: BlobQuery) throws -> [UInt8] {
        try call(hash) { state in
            guard let blob = state.whole[Self.key(hash, query.channel)] else {
                throw CellError(.refused, "there is no such attachment", recovery: .retry)
            }
            let bytes = state.lies[hash].map { SampleBlob(bytes: $0) } ?? blob
            let piece = bytes.piece(query.offset, query.limitBytes)
            state.pieces.append(piece.count)
            return piece
        }
    }
}
