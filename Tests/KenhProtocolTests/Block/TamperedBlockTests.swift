import Foundation
import KenhMerge
import KenhProtocol
import KenhTesting
import Testing

@Suite struct TamperedBlockTests {
    private let block: Block
    private let codec = BlockCodec()

    /// A block with everything in it.
    init() throws {
        let tables = [
            SampleBody.Table(name: "b", idType: .blob, columns: ["x"]),
            SampleBody.Table(name: "a", idType: .text, columns: ["title", "amount", "ratio", "data", "secret"]),
        ]
        let pin = ReplicaPin(replica: ReplicaID(high: 7, low: 8), counter: 30, hash: HashPrefix(5, 6))
        let changes: [SampleChange] = [
            SampleChange(
                kind: .insert, table: "a", id: "row", clock: .sample,
                values: ["title": "t", "amount": -3, "ratio": 0.25, "data": .blob([1, 2]), "secret": "0901"],
                predecessors: []),
            SampleChange(
                kind: .update, table: "a", id: "row", clock: HybridClock.sample.next,
                values: ["title": "u", "secret": 7],
                predecessors: [.own(1), .pinned(pin, 30)]),
            SampleChange(
                kind: .delete, table: "b", id: .blob([9]), clock: .sample, values: [:], predecessors: [.pinned(pin, 2)]),
        ]
        block = try SampleBlock.seal(SampleBody(tables: tables, changes: changes))
    }

    private struct Parts {
        var header: [UInt8]
        var body: [UInt8]
        var signature: [UInt8]
        var officer: [UInt8]
        var detached: [UInt8]
    }

    private var parts: Parts {
        Parts(
            header: block.headerBytes, body: block.body, signature: block.deviceSignature,
            officer: block.officerSignature, detached: block.detached)
    }

    /// Whether the block would be taken: read, found to be its device's, and decoded.
    private func isTaken(_ parts: Parts) -> Bool {
        do {
            let block = try Block(
                headerBytes: parts.header, body: parts.body, deviceSignature: parts.signature,
                officerSignature: parts.officer, detached: parts.detached)
            try block.verify(deviceKey: SampleBlock.key().publicKey)
            _ = try codec.open(block)
            return true
        } catch { return false }
    }

    private func flips(of path: WritableKeyPath<Parts, [UInt8]>) -> [Parts] {
        (0..<parts[keyPath: path].count * 8).map { bit in
            var changed = parts
            changed[keyPath: path][bit / 8] ^= 1 << UInt8(bit % 8)
            return changed
        }
    }

    @Test("the block as it is is taken")
    func untouched() throws {
        #expect(isTaken(parts))
        #expect(SampleBody.changes(of: try codec.open(block)).count == 3)
    }

    @Test("no single bit of header, body, signature or detached section can be changed")
    func everyBit() {
        for path in [\Parts.header, \.body, \.signature, \.detached] {
            let flips = flips(of: path)
            #expect(!flips.isEmpty)
            #expect(flips.firstIndex(where: isTaken) == nil)
        }
    }

    @Test("nothing can be cut off, at any length, and nothing appended")
    func truncated() {
        for path in [\Parts.header, \.body, \.signature, \.detached] {
            for length in 0..<parts[keyPath: path].count {
                var changed = parts
                changed[keyPath: path] = Array(changed[keyPath: path].prefix(length))
                #expect(!isTaken(changed))
            }
            var changed = parts
            changed[keyPath: path].append(0)
            #expect(!isTaken(changed))
        }
    }

    @Test("a message cut short anywhere is no whole block")
    func truncatedMessage() throws {
        let bytes = try WireCoding.encode(block.wire)
        for length in 0..<bytes.count {
            let taken = try? WireCoding.decode(WireBlock.self, from: Array(bytes.prefix(length)))
            guard let taken else { continue }
            let changed = Parts(
                header: Array(taken.header), body: Array(taken.body), signature: Array(taken.deviceSignature),
                officer: Array(taken.officerSignature), detached: Array(taken.detached))
            #expect(!isTaken(changed))
        }
    }

    @Test("another device's signature, or one for another purpose, is none")
    func otherSignature() throws {
        let other = try SampleBlock.key(2)
        var changed = parts
        changed.signature = try other.sign(block.headerBytes, domain: .blockDevice)
        #expect(!isTaken(changed))
        changed.signature = try SampleBlock.key().sign(block.headerBytes, domain: .blockOfficer)
        #expect(!isTaken(changed))
    }

    @Test("an officer's signature is none or has 64 bytes", arguments: [1, 63, 65, 10_000])
    func officerSignature(_ length: Int) {
        var changed = parts
        changed.officer = [UInt8](repeating: 1, count: length)
        #expect(!isTaken(changed))
    }

    @Test("detached values that were exchanged are found")
    func exchangedValues() throws {
        var section = try block.detached.withUnsafeBytes { try DetachedSection(decoding: $0) }
        section.items.swapAt(0, 1)
        var changed = parts
        changed.detached = section.encoded
        #expect(!isTaken(changed))
        section.items.removeLast()
        changed.detached = section.encoded
        #expect(!isTaken(changed))
        changed.detached = DetachedSection(items: section.items + section.items + section.items).encoded
        #expect(!isTaken(changed))
    }
}
