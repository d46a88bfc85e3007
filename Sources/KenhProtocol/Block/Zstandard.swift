import CZstd

/// One zstd frame in, one out, with bounds kept on both sides. Not safe for two threads at once.
package final class Zstandard {
    static let level: Int32 = 3

    private let compressor = ZSTD_createCCtx()
    private let decompressor = ZSTD_createDCtx()

    package init() { ZSTD_DCtx_setParameter(decompressor, ZSTD_d_windowLogMax, Int32(Limits.windowLog)) }

    deinit {
        ZSTD_freeCCtx(compressor)
        ZSTD_freeDCtx(decompressor)
    }

    package func compress(_ plain: [UInt8]) throws(ProtocolError) -> [UInt8] {
        let bound = ZSTD_compressBound(plain.count)
        var written = 0
        let out = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            written = plain.withUnsafeBytes { source in
                ZSTD_compressCCtx(
                    compressor, buffer.baseAddress, bound, source.baseAddress, source.count, Self.level)
            }
            count = ZSTD_isError(written) == 0 ? written : 0
        }
        guard ZSTD_isError(written) == 0 else { throw ProtocolError(.compression, "a block cannot be compressed") }
        return out
    }

    /// Of a frame, by its window descriptor (RFC 8878 §3.1.1.1.2); 0 of one in a single segment. Decompressing a frame
    /// in one call does not look at it.
    private static func window(_ frame: [UInt8]) -> Int {
        let singleSegment: UInt8 = 1 << 5
        guard frame.count > 5, frame[4] & singleSegment == 0 else { return 0 }
        let base = 1 << (10 + Int(frame[5] >> 3))
        return base + base / 8 * Int(frame[5] & 7)
    }

    /// - Parameter plainSize: what the header declares; any other size is refused.
    package func decompress(_ packed: [UInt8], plainSize: Int) throws(ProtocolError) -> [UInt8] {
        let frame = packed.withUnsafeBytes { ZSTD_findFrameCompressedSize($0.baseAddress, $0.count) }
        guard ZSTD_isError(frame) == 0, frame == packed.count else {
            throw ProtocolError(.compression, "the body is not one zstd frame")
        }
        let declared = packed.withUnsafeBytes { ZSTD_getFrameContentSize($0.baseAddress, $0.count) }
        guard declared == UInt64(plainSize) else {
            throw ProtocolError(.compression, "the body's size is not the one that the header declares")
        }
        guard Self.window(packed) <= 1 << Limits.windowLog else {
            throw ProtocolError(.compression, "the body's frame has a larger window than 2^\(Limits.windowLog)")
        }
        var read = 0
        let out = [UInt8](unsafeUninitializedCapacity: max(plainSize, 1)) { buffer, count in
            read = packed.withUnsafeBytes { source in
                ZSTD_decompressDCtx(decompressor, buffer.baseAddress, plainSize, source.baseAddress, source.count)
            }
            count = ZSTD_isError(read) == 0 ? read : 0
        }
        guard ZSTD_isError(read) == 0, read == plainSize else {
            throw ProtocolError(.compression, "the body does not decompress")
        }
        return out
    }
}
