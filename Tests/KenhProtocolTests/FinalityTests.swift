import KenhMerge
import KenhProtocol
import Testing

@Suite("An entry on final deletions") struct FinalityTests {
    private func hash(_ number: UInt64) -> Hash256 { Hash256(number, 1, 2, 3) }

    @Test("is read as it was written, whatever the order in which its blocks were given")
    func roundTrip() throws {
        let parts = [
            Finality.BlockPart(hash: hash(2), changes: ChangeSet([0, 1, 5])),
            Finality.BlockPart(hash: hash(1), changes: ChangeSet([65_535])),
        ]
        let finality = Finality(parts)
        #expect(try Finality(decoding: finality.encoded) == finality && finality == Finality(parts.reversed()))
        #expect(finality.blocks.map(\.hash) == [hash(1), hash(2)] && finality.count == 4)
    }

    @Test(
        "is refused where it is not the one way to say it",
        arguments: [
            "", "00", "0a00", "0a24" + "0a20" + String(repeating: "11", count: 32) + "1200",
            "0a22" + "0a20" + String(repeating: "11", count: 32),
        ])
    func refused(_ hex: String) throws {
        #expect(throws: ProtocolError.self) { try Finality(decoding: [UInt8](hex: hex) ?? []) }
    }

    @Test("is cut into several where one would be too large")
    func split() throws {
        let parts = (0..<4000).map { number in
            Finality.BlockPart(hash: hash(UInt64(number)), changes: ChangeSet((0..<40).map { $0 * 2 }))
        }
        let split = Finality.split(parts)
        #expect(split.count > 1 && split.flatMap(\.blocks) == Finality(parts).blocks)
        for finality in split { #expect(try finality.encoded.count <= Limits.finalityBytes) }
        #expect(Finality.split([]).isEmpty)
    }
}
