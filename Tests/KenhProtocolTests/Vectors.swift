import Foundation
import KenhMerge
import KenhProtocol

/// The test vectors in Protocol/vectors: what they hold, and how they are made.
///
/// `KENH_WRITE_VECTORS=1 swift test --filter VectorTests` writes them anew; that is a change of the protocol.
enum Vectors {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Protocol/vectors")

    static let isWriting = ProcessInfo.processInfo.environment["KENH_WRITE_VECTORS"] != nil

    static func read<T: Decodable>(_ type: T.Type, _ name: String) throws -> T {
        try JSONDecoder().decode(type, from: Data(contentsOf: folder.appending(path: name)))
    }

    static func write(_ value: some Encodable, _ name: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        try (encoder.encode(value) + Data("\n".utf8)).write(to: folder.appending(path: name))
    }

    /// Writes the file where that was asked for, then gives what it holds.
    static func committed<T: Codable>(_ name: String, made: () throws -> T) throws -> T {
        if isWriting { try write(made(), name) }
        return try read(T.self, name)
    }
}

struct ValueVector: Codable, Equatable {
    let type: String
    /// An integer or a real in decimal, a text as it is, a blob in hex; absent for NULL.
    let value: String?
    /// A real's bits, big-endian.
    let bits: String?

    init(_ value: Value) {
        switch value {
        case .null: (type, self.value, bits) = ("null", nil, nil)
        case .integer(let x): (type, self.value, bits) = ("integer", "\(x)", nil)
        case .real(let x): (type, self.value, bits) = ("real", "\(x)", x.bitPattern.bigEndianBytes.hex)
        case .text(let x): (type, self.value, bits) = ("text", String(decoding: x, as: UTF8.self), nil)
        case .blob(let x): (type, self.value, bits) = ("blob", x.hex, nil)
        }
    }
}

struct PredecessorVector: Codable, Equatable {
    /// In hex; absent for the block's own line.
    let replica: String?
    let counter: UInt64
}

struct ChangeVector: Codable, Equatable {
    let counter: UInt64
    let kind: String
    let table: String
    let id: ValueVector
    let clock: UInt64
    let values: [String: ValueVector]
    let predecessors: [PredecessorVector]
    /// Names the row; absent where the id is spelled out.
    let birth: PredecessorVector?
}

struct BlockVector: Codable, Equatable {
    let about: String
    let deviceSeed: String
    let devicePublicKey: String
    let header: HeaderVector
    let headerBytes: String
    let plainBody: String
    /// One zstd frame; other compressors may make another of the same plain body.
    let body: String
    let detached: String
    let deviceSignature: String
    let blockHash: String
    let changes: [ChangeVector]

    struct HeaderVector: Codable, Equatable {
        let organisation: String
        let channel: String
        let replica: String
        let officer: String
        let firstCounter: UInt64
        let count: UInt32
        let previous: String
        let schemaVersion: UInt32
        let firstClock: UInt64
        let lastClock: UInt64
        let group: UInt32
        let compressedSize: Int
        let plainSize: Int
        let bodyHash: String
    }
}

struct EntryVector: Codable, Equatable {
    let previous: String
    let kind: Int
    let channel: String
    let sequence: UInt64
    let objectHash: String
    let acceptedAtMs: Int64
    let entryHash: String
}

struct CommitmentVector: Codable, Equatable {
    let salt: String
    let value: ValueVector
    /// Tag and value as they are hashed.
    let encoded: String
    let commitment: String
}

struct EnrolmentVector: Codable, Equatable {
    let rootPublicKey: String
    let organisation: String
    let deviceSeed: String
    let devicePublicKey: String
    let replica: String
    let claim: String
    let countersignature: String
    let codeSecret: String
    let code: String
    let codeID: String
    let proof: String
}
