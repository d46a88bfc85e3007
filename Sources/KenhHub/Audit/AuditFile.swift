import Crypto
import Foundation
import KenhMerge
import KenhProtocol

/// The bytes of an audit file: a line that names it, then records, each behind its length as a varint.
enum AuditFile {
    static let magic = Array("Kenh audit 1\n".utf8)
    /// A block and what surrounds it.
    static let recordLimitBytes = (Limits.compressedBodyBytes + Limits.detachedBytes) + (1 << 20)
}

/// Writes records one after another, and hashes them on the way.
struct AuditWriter {
    private let write: ([UInt8]) throws -> Void
    private var hash = SHA256()

    init(_ write: @escaping ([UInt8]) throws -> Void) throws {
        self.write = write
        try put(AuditFile.magic)
    }

    private mutating func put(_ bytes: [UInt8]) throws {
        hash.update(data: bytes)
        try write(bytes)
    }

    mutating func add(_ what: WireAuditRecord.OneOf_What) throws {
        var record = WireAuditRecord()
        record.what = what
        let bytes = try WireCoding.encode(record)
        var length: [UInt8] = []
        var rest = bytes.count
        while rest > 0x7F {
            length.append(UInt8(rest & 0x7F | 0x80))
            rest >>= 7
        }
        try put(length + [UInt8(rest)] + bytes)
    }

    /// Over everything up to here.
    mutating func seal(with servingKey: SigningKey) throws {
        var seal = WireAuditSeal()
        seal.hash = Data(hash.finalize())
        try add(.seal(try WireSignedStatement(signing: seal, with: servingKey, domain: .auditSeal)))
    }
}

/// Reads records without holding more than one.
struct AuditReader {
    private let file: FileHandle
    private var buffer: [UInt8] = []
    private var place = 0
    private var hash = SHA256()

    /// - Throws: ``ProtocolError`` with code `malformed` where it is no audit file.
    init(_ file: FileHandle) throws {
        self.file = file
        guard try take(AuditFile.magic.count) == AuditFile.magic else {
            throw ProtocolError(.malformed, "this is no audit file of Kenh's, or its first line was altered")
        }
    }

    struct Record {
        let record: WireAuditRecord
        /// Whether it has bytes that no writer would have put there.
        let isPlain: Bool
        /// Of all bytes before it.
        let hashBefore: [UInt8]
    }

    enum Failure: Error {
        /// The record's bytes are here, and are none.
        case unreadable
        /// Where the next record would begin is not known any more.
        case lost
    }

    /// Nil at the end.
    mutating func next() throws -> Record? {
        let before = Array(hash.finalize())
        guard let length = try length() else { return nil }
        guard length <= AuditFile.recordLimitBytes, let bytes = try take(length) else { throw Failure.lost }
        guard let record = try? WireCoding.decodeKnown(WireAuditRecord.self, from: bytes), record.what != nil else {
            throw Failure.unreadable
        }
        let isPlain = (try? WireCoding.encode(record)) == bytes
        return Record(record: record, isPlain: isPlain, hashBefore: before)
    }

    private mutating func length() throws -> Int? {
        guard let first = try take(1)?.first else { return nil }
        var (value, shift, byte) = (Int(first & 0x7F), 7, first)
        while byte & 0x80 != 0 {
            guard shift < 42, let next = try take(1)?.first else { throw Failure.lost }
            byte = next
            value |= Int(byte & 0x7F) << shift
            shift += 7
        }
        // A length in more bytes than it needs was not written by anybody honest.
        guard shift == 7 || byte != 0 else { throw Failure.lost }
        return value
    }

    /// - Returns: nil where the file has fewer.
    private mutating func take(_ count: Int) throws -> [UInt8]? {
        while buffer.count - place < count {
            guard let more = try file.read(upToCount: max(1 << 20, count - (buffer.count - place))), !more.isEmpty
            else {
                return nil
            }
            buffer = Array(buffer[place...]) + more
            place = 0
        }
        let taken = Array(buffer[place..<place + count])
        place += count
        hash.update(data: taken)
        return taken
    }
}
