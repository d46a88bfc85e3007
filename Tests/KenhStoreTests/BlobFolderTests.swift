import Foundation
import KenhMerge
import KenhStore
import KenhTesting
import Testing

@Suite("A folder of attachments")
struct BlobFolderTests {
    private let root: URL
    private let files: BlobFolder
    private let blob = SampleBlob(1000)

    init() {
        root = FileManager.default.temporaryDirectory.appending(path: "kenh-blobs-\(UUID().uuidString)")
        files = BlobFolder(path: root.path)
    }

    private func put(_ blob: SampleBlob) throws {
        try files.write(blob.bytes, toPart: "p", at: 0, isDurable: true)
        #expect(try files.finish("p", as: blob.hash))
    }

    @Test("makes a whole one of pieces, names it by its content, and gives parts of it")
    func whole() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        #expect(try files.size(of: blob.hash) == nil && files.all() == [] && files.isGood(blob.hash) == nil)
        for offset in stride(from: 0, to: 1000, by: 300) {
            #expect(try files.partSize("p") == UInt64(offset))
            try files.write(blob.piece(UInt64(offset), 300), toPart: "p", at: UInt64(offset), isDurable: true)
        }
        #expect(try files.finish("p", as: blob.hash) && files.isGood(blob.hash) == true)
        #expect(try files.size(of: blob.hash) == 1000 && files.all() == [blob.hash] && files.parts().isEmpty)
        #expect(try files.read(blob.hash, from: 990, limit: 100) == blob.piece(990))
        #expect(
            try files.read(blob.hash, from: 1000, limit: 100) == [] && files.read(blob.hash, from: .max, limit: 1) == []
        )
        #expect(throws: StoreError(.notFound, "")) { try files.read(Hash256(1, 2, 3, 4), from: 0, limit: 1) }
    }

    @Test("throws away what has other bytes than its name says")
    func wrongBytes() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        try files.write(Array(blob.bytes.dropLast()), toPart: "p", at: 0, isDurable: true)
        #expect(try !files.finish("p", as: blob.hash))
        #expect(try files.size(of: blob.hash) == nil && files.parts().isEmpty)
    }

    @Test("drops what lies behind a noted size, and finds bytes that changed on the disk")
    func damage() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        try files.write(blob.bytes + [1, 2, 3], toPart: "p", at: 0, isDurable: false)
        try files.cutPart("p", to: 1000)
        #expect(try files.finish("p", as: blob.hash))
        let path = files.path(of: blob.hash)
        var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
        bytes[500] ^= 1
        try Data(bytes).write(to: URL(filePath: path))
        #expect(try files.isGood(blob.hash) == false)
        try files.setAside(blob.hash)
        #expect(try files.size(of: blob.hash) == nil && files.all() == [])
        #expect(FileManager.default.fileExists(atPath: root.appending(path: "damaged/\(blob.hash.bytes.hex)").path))
        try put(blob)
        #expect(try files.isGood(blob.hash) == true)
    }

    @Test("follows no link that somebody put in the place of a file")
    func links() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        try put(blob)
        let path = files.path(of: blob.hash)
        try FileManager.default.moveItem(atPath: path, toPath: root.appending(path: "elsewhere").path)
        try FileManager.default.createSymbolicLink(
            atPath: path, withDestinationPath: root.appending(path: "elsewhere").path)
        #expect(throws: StoreError.self) { try files.read(blob.hash, from: 0, limit: 1) }
    }
}
