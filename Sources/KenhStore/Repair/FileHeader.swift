import Foundation

/// The first 100 bytes of a SQLite file, as far as all of Kenh's have them alike (sqlite.org/fileformat2.html, 1.3).
enum FileHeader {
    private static let pageBytes = 4096

    /// A copy of the file with its header put right, beside it; nil where the header is in order.
    static func copyWithGoodHeader(of path: String) throws(StoreError) -> URL? {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw StoreError(.notFound, "there is no file at \(path)", advice: "check --home")
        }
        defer { try? file.close() }
        guard let head = try? file.read(upToCount: 100), head.count == 100, let size = try? file.seekToEnd() else {
            throw StoreError(.notADatabase, "\(path) is too short for a database", advice: "restore a backup")
        }
        let good = putRight(Array(head), fileBytes: size)
        guard good != Array(head) else { return nil }
        let copy = URL(filePath: path + ".salvage")
        do {
            try? FileManager.default.removeItem(at: copy)
            try FileManager.default.copyItem(at: URL(filePath: path), to: copy)
            let target = try FileHandle(forWritingTo: copy)
            try target.write(contentsOf: Data(good))
            try target.close()
        } catch {
            throw StoreError(.io, "a copy of the damaged file cannot be made: \(error)", advice: "free some space")
        }
        return copy
    }

    private static func putRight(_ head: [UInt8], fileBytes: UInt64) -> [UInt8] {
        var head = head
        func put(_ bytes: [UInt8], at offset: Int) { head.replaceSubrange(offset..<offset + bytes.count, with: bytes) }
        put(Array("SQLite format 3\0".utf8) + [UInt8(pageBytes >> 8), UInt8(pageBytes & 0xff)], at: 0)
        if head[18] != head[19] || !(1...2).contains(head[18]) { put([1, 1], at: 18) }
        put([0, 64, 32, 32], at: 20)
        put(bigEndian(UInt32(clamping: fileBytes / UInt64(pageBytes))), at: 28)
        put(bigEndian(4), at: 44)
        put(bigEndian(1), at: 56)
        // The size counts only where these two agree.
        put(Array(head[24..<28]), at: 92)
        return head
    }

    private static func bigEndian(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
}
