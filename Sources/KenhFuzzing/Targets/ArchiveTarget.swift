import KenhHub
import KenhMerge
import KenhProtocol

extension FuzzTarget {
    /// An archive file from the disk: refused in words, or every record of it leads to the block that it names.
    static let archive = FuzzTarget("archive", seeds: { try ArchiveFuzz.seeds() }) { bytes in
        guard let file = try? ArchiveFile(decoding: bytes) else { return }
        var blocks: [(sequence: UInt64, block: Block)] = []
        for record in file.records {
            let (sequence, block) = try ArchiveFile.block(
                in: Array(bytes[record.start..<record.start + record.size]))
            try require(sequence == record.sequence && block.hash == record.hash, "a record is another block")
            blocks.append((sequence, block))
        }
        let again = try ArchiveFile(organisation: file.organisation, channel: file.channel, blocks)
        try require(again.records.map(\.hash) == file.records.map(\.hash), "another file is made of its blocks")
        try require(try ArchiveFile(decoding: again.bytes).hash == again.hash, "a file changes when it is made again")
    }
}

private enum ArchiveFuzz {
    static func seeds() throws -> [[UInt8]] {
        let blocks = try (1...2).map { number in
            let body = try Zstandard().compress([UInt8(number)])
            let header = BlockHeader(
                organisation: FuzzWorld.organisation, channel: "org", replica: FuzzWorld.replicas[0], officer: "",
                firstCounter: UInt64(number), count: 1, previous: number == 1 ? .zero : Hash256(1, 2, 3, 4),
                schemaVersion: 1, firstClock: HybridClock(rawValue: 1), lastClock: HybridClock(rawValue: 1),
                isGroupStart: true, isGroupEnd: true, compressedSize: body.count, plainSize: 1,
                bodyHash: Hashing.sha256(domain: .blockBody, body))
            let bytes = try header.encoded()
            let block = try Block(
                headerBytes: bytes, body: body,
                deviceSignature: FuzzWorld.devices[0].sign(bytes, domain: .blockDevice), officerSignature: [],
                detached: [])
            return (sequence: UInt64(number * 2), block: block)
        }
        return [
            try ArchiveFile(organisation: FuzzWorld.organisation, channel: "org", blocks).bytes,
            try ArchiveFile(organisation: FuzzWorld.organisation, channel: "org", []).bytes,
        ]
    }
}
