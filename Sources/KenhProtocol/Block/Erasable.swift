import KenhMerge

/// Values that can be taken out of history: the signed body has a commitment only.
public enum Erasable {
    public static let saltBytes = 16

    /// SHA-256 of domain, salt and tagged value.
    public static func commitment(to value: Value, salt: [UInt8]) -> Hash256 {
        var writer = ByteWriter()
        writer.raw(salt)
        writer.value(value)
        return Hashing.sha256(domain: .erasable, writer.bytes)
    }
}

/// The part of a block outside its body hash: one item for each commitment, in the order of the streams.
///
///     detached := empty where the body has no commitment
///               | count varint, count × (0x00 | 0x01, 16 bytes of salt, value)
public struct DetachedSection: Sendable, Equatable {
    public enum Item: Sendable, Equatable {
        case erased
        case present(salt: [UInt8], value: Value)
    }

    public var items: [Item]

    public init(items: [Item]) { self.items = items }

    public var encoded: [UInt8] {
        guard !items.isEmpty else { return [] }
        var writer = ByteWriter()
        writer.varint(items.count)
        for item in items {
            switch item {
            case .erased: writer.byte(0)
            case .present(let salt, let value):
                writer.byte(1)
                writer.raw(salt)
                writer.value(value)
            }
        }
        return writer.bytes
    }

    public init(decoding bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
        items = []
        guard !bytes.isEmpty else { return }
        var reader = ByteReader(bytes)
        for _ in 0..<(try reader.count(upTo: reader.remaining)) { items.append(try Self.item(&reader)) }
        guard !items.isEmpty else { throw MalformedBytes("a detached section of nothing", at: 0) }
        guard reader.isAtEnd else { throw MalformedBytes("trailing bytes", at: reader.offset) }
    }

    private static func item(_ reader: inout ByteReader) throws(MalformedBytes) -> Item {
        switch try reader.byte() {
        case 0: return .erased
        case 1: return .present(salt: Array(try reader.raw(Erasable.saltBytes)), value: try reader.value())
        default: throw MalformedBytes("unknown mark", at: reader.offset)
        }
    }
}
