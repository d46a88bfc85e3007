/// The packed form of a row state, one blob a row:
///
///     state := write*
///     write := flags varint, branch varint, counter varint, milliseconds varint, tick varint,
///              columns varint (existence in bit 0, column i in bit i + 1),
///              [held count varint, held count × (column byte, value)]        when flags has bit 1
///     flags := bit 0 removed, bit 1 has held values, bit 2 delta (then every column has a held integer)
///     value := tag byte, then nothing | zigzag varint | 8 bytes little-endian | length varint and bytes
///
/// A row that was inserted and never touched again takes about 14 bytes.
extension RowState {
    private static let removedFlag: UInt64 = 1
    private static let heldFlag: UInt64 = 2
    private static let deltaFlag: UInt64 = 4

    public func pack(into writer: inout ByteWriter) {
        for write in writes {
            Self.packStamp(write, into: &writer)
            guard !write.held.isEmpty else { continue }
            writer.varint(write.held.count)
            for held in write.held {
                writer.byte(held.column)
                writer.value(held.value)
            }
        }
    }

    private static func packStamp(_ write: Write, into writer: inout ByteWriter) {
        let marks = (write.isRemoved ? removedFlag : 0) | (write.isDelta ? deltaFlag : 0)
        writer.varint(marks | (write.held.isEmpty ? 0 : heldFlag))
        writer.varint(UInt64(write.dot.branch))
        writer.varint(write.dot.counter)
        writer.varint(write.clock.rawValue >> 16)
        writer.varint(UInt64(write.clock.tick))
        writer.varint(write.columns.rawValue << 1 | write.columns.rawValue >> 63)
    }

    /// Replaces the writes by the packed ones, reusing the array's storage.
    public mutating func unpack(_ bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
        writes.removeAll(keepingCapacity: true)
        var reader = ByteReader(bytes)
        while !reader.isAtEnd { writes.append(try Self.unpackWrite(&reader)) }
    }

    public init(packed bytes: [UInt8]) throws(MalformedBytes) {
        self.init()
        var reading = self
        let failure = bytes.withUnsafeBytes { buffer -> MalformedBytes? in
            do throws(MalformedBytes) {
                try reading.unpack(buffer)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        self = reading
    }

    private static func unpackWrite(_ reader: inout ByteReader) throws(MalformedBytes) -> Write {
        let flags = try reader.varint()
        guard flags <= removedFlag | heldFlag | deltaFlag else {
            throw MalformedBytes("unknown flags", at: reader.offset)
        }
        let branch = try reader.count(upTo: Int(UInt32.max))
        let counter = try reader.varint()
        let milliseconds = try reader.count(upTo: 1 << 48 - 1)
        let tick = try reader.count(upTo: Int(UInt16.max))
        let columns = try reader.varint()
        var write = Write(
            dot: Dot(branch: UInt32(branch), counter: counter),
            clock: HybridClock(rawValue: UInt64(milliseconds) << 16 | UInt64(tick)),
            isRemoved: flags & removedFlag != 0, isDelta: flags & deltaFlag != 0,
            columns: ColumnSet(rawValue: columns >> 1 | columns << 63))
        let heldCount = flags & heldFlag != 0 ? try reader.count(upTo: ColumnSet.limit) : 0
        for _ in 0..<heldCount {
            let column = try reader.byte()
            guard column < ColumnSet.limit else { throw MalformedBytes("no such column", at: reader.offset) }
            write.held.append(HeldValue(column: column, value: try reader.value()))
        }
        guard !write.isDelta || write.holdsAllIntegers else {
            throw MalformedBytes("a delta without its integers", at: reader.offset)
        }
        return write
    }
}
