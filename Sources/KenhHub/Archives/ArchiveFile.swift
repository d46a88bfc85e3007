import Foundation
import KenhMerge
import KenhProtocol

/// A file that has a run of a channel's blocks as their writers signed them, but for what an erasure may take out of them.
/// It never changes; its hash stands in the log.
public struct ArchiveFile {
    static let magic = Array("Kenh archive 1\n".utf8)

    public struct Record: Sendable {
        public let sequence: UInt64
        public let hash: Hash256
        /// Where the record stands in the file.
        public let start: Int
        public let size: Int
    }

    public let organisation: Hash256
    public let channel: String
    public let records: [Record]
    public let bytes: [UInt8]

    public var hash: Hash256 { Hashing.sha256(domain: .archive, bytes) }

    /// - Parameter blocks: in the log's order, with the sequences of their entries.
    public init(organisation: Hash256, channel: String, _ blocks: [(sequence: UInt64, block: Block)]) throws {
        var writer = ByteWriter()
        Self.magic.forEach { writer.byte($0) }
        var head = WireArchiveHead()
        head.organisation = Data(organisation.bytes)
        (head.channel, head.blocks) = (channel, UInt32(blocks.count))
        (head.first, head.last) = (blocks.first?.sequence ?? 0, blocks.last?.sequence ?? 0)
        writer.prefixed(try WireCoding.encode(head))
        var records: [Record] = []
        for (sequence, block) in blocks {
            var wire = WireArchivedBlock()
            wire.sequence = sequence
            wire.block = block.wire
            wire.block.detached = Data()
            let record = try WireCoding.encode(wire)
            writer.prefixed(record)
            records.append(
                Record(
                    sequence: sequence, hash: block.hash, start: writer.bytes.count - record.count, size: record.count))
        }
        (self.organisation, self.channel, self.records) = (organisation, channel, records)
        bytes = writer.bytes
    }

    /// - Throws: ``ProtocolError`` with code `malformed`.
    public init(decoding bytes: [UInt8]) throws(ProtocolError) {
        guard bytes.starts(with: Self.magic) else { throw Self.malformed("does not begin as one") }
        var place = Self.magic.count
        let head = try WireCoding.decode(WireArchiveHead.self, from: try Self.record(of: bytes, &place).bytes)
        guard let organisation = Hash256(bytes: head.organisation), ChannelName.isValid(head.channel) else {
            throw Self.malformed("does not say whose it is")
        }
        var records: [Record] = []
        while place < bytes.count {
            let (record, start) = try Self.record(of: bytes, &place)
            let (sequence, block) = try Self.block(in: record)
            guard block.header.channel == head.channel, block.header.organisation == organisation,
                records.last?.sequence ?? 0 < sequence
            else { throw Self.malformed("has blocks of another channel, or not in their order") }
            records.append(Record(sequence: sequence, hash: block.hash, start: start, size: record.count))
        }
        guard records.count == Int(head.blocks), records.first?.sequence ?? 0 == head.first,
            records.last?.sequence ?? 0 == head.last
        else { throw Self.malformed("has not the blocks that it says") }
        (self.organisation, channel, self.records, self.bytes) = (organisation, head.channel, records, bytes)
    }

    private static func record(
        of bytes: [UInt8], _ place: inout Int
    ) throws(ProtocolError) -> (bytes: [UInt8], start: Int) {
        var (length, shift) = (0, 0)
        while place < bytes.count, shift < 35 {
            let byte = bytes[place]
            place += 1
            length |= Int(byte & 0x7F) << shift
            shift += 7
            guard byte & 0x80 == 0 else { continue }
            guard length <= AuditFile.recordLimitBytes, length <= bytes.count - place else { break }
            defer { place += length }
            return (Array(bytes[place..<place + length]), place)
        }
        throw malformed("ends within a record")
    }

    /// - Throws: ``ProtocolError``: as where a block is read from the wire.
    public static func block(in record: [UInt8]) throws(ProtocolError) -> (sequence: UInt64, block: Block) {
        let wire = try WireCoding.decode(WireArchivedBlock.self, from: record)
        return (wire.sequence, try Block(wire.block))
    }

    private static func malformed(_ what: String) -> ProtocolError {
        ProtocolError(.malformed, "an archive file \(what)")
    }
}
