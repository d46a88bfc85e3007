import KenhMerge

/// The values of one column in the order of their changes, type by type:
///
///     stream(k) := tags ints(k), integers, reals, texts, blobs, commitments
///     integers  := ints (zigzag)
///     reals     := nothing where there are none
///                | 0x00, 8 bytes little-endian each
///                | 0x01 + s, ints (zigzag): value × 10^s, s from 0 to 9
///     texts     := nothing where there are none
///                | common prefix (length varint, bytes), lengths of the rest ints, the rests one after another
///     blobs     := lengths ints, the bytes one after another
///     commitments := 32 bytes each
struct ColumnStream {
    var tags: [UInt64] = []
    private var integers: [UInt64] = []
    private var reals: [Double] = []
    private var texts = ByteRun()
    private var blobs = ByteRun()
    private var commitments: [UInt8] = []

    var byteCount: Int {
        tags.count + integers.count * 4 + reals.count * 8 + texts.bytes.count + blobs.bytes.count + commitments.count
    }

    mutating func appendNull() { tags.append(UInt64(Value.Tag.null.rawValue)) }

    mutating func append(integer: Int64) {
        tags.append(UInt64(Value.Tag.integer.rawValue))
        integers.append(integer.zigzag)
    }

    mutating func append(real: Double) {
        tags.append(UInt64(Value.Tag.real.rawValue))
        reals.append(real)
    }

    mutating func append(text: UnsafeRawBufferPointer) {
        tags.append(UInt64(Value.Tag.text.rawValue))
        texts.append(text)
    }

    mutating func append(blob: UnsafeRawBufferPointer) {
        tags.append(UInt64(Value.Tag.blob.rawValue))
        blobs.append(blob)
    }

    mutating func append(commitment: Hash256) {
        tags.append(UInt64(Value.Tag.commitment.rawValue))
        commitments += commitment.bytes
    }

    mutating func append(_ value: Value) {
        switch value {
        case .null: appendNull()
        case .integer(let x): append(integer: x)
        case .real(let x): append(real: x)
        case .text(let x): x.withUnsafeBytes { append(text: $0) }
        case .blob(let x): x.withUnsafeBytes { append(blob: $0) }
        }
    }

    func write(to writer: inout ByteWriter) {
        writer.ints(tags)
        writer.ints(integers)
        if !reals.isEmpty { Self.write(reals, to: &writer) }
        if !texts.lengths.isEmpty { writeTexts(to: &writer) }
        writer.ints(blobs.lengths.map(UInt64.init))
        writer.raw(blobs.bytes)
        writer.raw(commitments)
    }

    private func writeTexts(to writer: inout ByteWriter) {
        let prefix = texts.commonPrefixLength
        writer.prefixed(texts.bytes.prefix(prefix))
        writer.ints(texts.lengths.map { UInt64($0 - prefix) })
        guard prefix > 0 else { return writer.raw(texts.bytes) }
        var start = 0
        for length in texts.lengths {
            writer.raw(texts.bytes[(start + prefix)..<(start + length)])
            start += length
        }
    }

    private static func write(_ reals: [Double], to writer: inout ByteWriter) {
        for scale in 0...9 {
            guard let scaled = scaled(reals, by: scale) else { continue }
            writer.byte(UInt8(1 + scale))
            return writer.ints(scaled)
        }
        writer.byte(0)
        for real in reals { writer.fixed64(real.bitPattern) }
    }

    /// Nil unless every number comes back from its scaled integer with the same bits.
    private static func scaled(_ reals: [Double], by scale: Int) -> [UInt64]? {
        let factor = DecimalScale.factors[scale]
        var out: [UInt64] = []
        out.reserveCapacity(reals.count)
        for real in reals {
            let product = (real * factor).rounded()
            guard product.magnitude < 9_007_199_254_740_992 else { return nil }
            let integer = Int64(product)
            guard (Double(integer) / factor).bitPattern == real.bitPattern else { return nil }
            out.append(integer.zigzag)
        }
        return out
    }
}

enum DecimalScale {
    static let factors: [Double] = [1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]
}

/// Byte strings laid end to end.
struct ByteRun {
    var bytes: [UInt8] = []
    var lengths: [Int] = []

    mutating func append(_ value: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: value)
        lengths.append(value.count)
    }

    /// How many leading bytes all strings share.
    var commonPrefixLength: Int {
        guard lengths.count > 1, var shared = lengths.first else { return 0 }
        var start = 0
        for length in lengths {
            shared = min(shared, length)
            var same = 0
            while same < shared, bytes[start + same] == bytes[same] { same += 1 }
            shared = same
            if shared == 0 { return 0 }
            start += length
        }
        return shared
    }
}
