import KenhMerge
import KenhProtocol

/// A plain body written by hand after Protocol/block-format.md, one part each, so that each can be wrong.
struct PlainBody {
    var version: [UInt8] = [1]
    var tables = PlainBody.list([PlainBody.table("t", columns: ["c"])])
    var pins = PlainBody.list([])
    var kinds = PlainBody.constant(0)
    var tableRefs = PlainBody.constant(0)
    var ids: [UInt8] = [0] + PlainBody.constant(1) + Array("x".utf8)
    var clocks = PlainBody.constant(0)
    var masks = PlainBody.constant(1)
    var predecessorCounts = PlainBody.constant(0)
    var predecessorRefs: [UInt8] = []
    var predecessorCounters: [UInt8] = []
    /// One NULL.
    var streams = PlainBody.constant(0)
    var trailing: [UInt8] = []

    var bytes: [UInt8] {
        version + tables + pins + kinds + tableRefs + ids + clocks + masks + predecessorCounts + predecessorRefs
            + predecessorCounters + streams + trailing
    }

    static func varint(_ value: UInt64) -> [UInt8] {
        var writer = ByteWriter()
        writer.varint(value)
        return writer.bytes
    }

    static func constant(_ value: UInt64) -> [UInt8] { [0] + varint(value) }
    static func plain(_ values: [UInt64]) -> [UInt8] { [1] + values.flatMap(varint) }

    /// The first, then the zigzag differences.
    static func deltas(_ values: [UInt64]) -> [UInt8] {
        [2] + varint(values[0])
            + zip(values, values.dropFirst()).flatMap { varint(Int64(bitPattern: $1 &- $0).zigzag) }
    }

    static func list(_ items: [[UInt8]]) -> [UInt8] { varint(UInt64(items.count)) + items.flatMap { $0 } }
    static func text(_ value: String) -> [UInt8] { varint(UInt64(value.utf8.count)) + Array(value.utf8) }

    static func table(_ name: String, idType: UInt8 = 0, columns: [String]) -> [UInt8] {
        text(name) + [idType] + list(columns.map(text))
    }

    static func pin(_ replica: UInt64, counter: UInt64 = 9, hash: UInt64 = 1) -> [UInt8] {
        ReplicaID(high: 0, low: replica).bytes + varint(counter) + HashPrefix(0, hash).bytes
    }
}
