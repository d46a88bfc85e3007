import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting
import Testing

@Suite("The centre's attachments")
final class BlobTests {
    private let fixture: HubFixture
    private let folder: BlobFolder
    private let files: FaultyBlobFiles
    private let a: DeviceFixture
    private let b: DeviceFixture
    private let blob = SampleBlob(1000)
    private let channel = "plan/KH1"

    init() throws {
        fixture = try HubFixture()
        folder = BlobFolder(path: fixture.directory.appending(path: "blobs").path)
        files = FaultyBlobFiles(folder)
        (a, b) = (fixture["A"], fixture["B"])
    }

    /// As after a start of the centre.
    private func shelf(limit: UInt64 = 1 << 20) throws -> BlobShelf {
        BlobShelf(
            index: try SQLiteBlobIndex(path: fixture.directory.appending(path: "index.db").path), files: files,
            rules: BlobRules(limitBytes: limit), clock: { [clock = fixture.clock] in clock.milliseconds })
    }

    private func blobs() throws -> HubBlobs { HubBlobs(hub: fixture.hub, shelf: try shelf()) }

    private func query(_ offset: UInt64 = 0, of blob: SampleBlob, in channel: String? = nil) -> BlobQuery {
        BlobQuery(channel: channel ?? self.channel, size: blob.size, type: "image/png", offset: offset)
    }

    /// Gives from an offset on, in pieces.
    @discardableResult
    private func give(
        _ blob: SampleBlob, from: UInt64 = 0, piece: Int = 400, by device: DeviceFixture? = nil,
        in channel: String? = nil
    ) throws -> WireBlobStatus {
        let blobs = try blobs()
        var status = WireBlobStatus()
        var offset = from
        while offset < blob.size {
            status = try blobs.put(
                blob.hash, query(offset, of: blob, in: channel), piece: blob.piece(offset, piece),
                from: (device ?? a).registered)
            offset += UInt64(piece)
        }
        return status
    }

    private func content(_ blob: SampleBlob, for device: DeviceFixture, in channel: String? = nil) throws -> [UInt8] {
        try blobs().piece(blob.hash, BlobQuery(channel: channel ?? self.channel), for: device.registered)
    }

    private func status(_ blob: SampleBlob, for device: DeviceFixture, in channel: String? = nil) throws
        -> WireBlobStatus
    {
        try blobs().status(blob.hash, BlobQuery(channel: channel ?? self.channel), for: device.registered)
    }

    private func refusal(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch let error as ProtocolError { return error.code.rawValue } catch let error as HubError {
            return error.code.rawValue
        } catch let error as StoreError { return "store: \(error.code.rawValue)" } catch { return "\(error)" }
    }

    // MARK: giving and having

    @Test("are taken in pieces, also over starts of the centre, and given whole or in parts")
    func whole() throws {
        for offset in [UInt64(0), 400, 800] {
            let status = try blobs().put(
                blob.hash, query(offset, of: blob), piece: blob.piece(offset, 400), from: a.registered)
            #expect(status.have == min(offset + 400, 1000) && status.size == 1000)
        }
        #expect(try content(blob, for: b) == blob.bytes)
        #expect(try status(blob, for: b).type == "image/png" && status(blob, for: b).have == 1000)
        let part = try blobs().piece(
            blob.hash, BlobQuery(channel: channel, offset: 100, limitBytes: 7), for: b.registered)
        #expect(part == blob.piece(100, 7))
        #expect(try blobs().piece(blob.hash, BlobQuery(channel: channel, offset: 1000), for: b.registered) == [])
        #expect(
            refusal { _ = try blobs().piece(blob.hash, BlobQuery(channel: channel, offset: 1001), for: b.registered) }
                == "blobOffset")
    }

    @Test("a piece that is there already is no error, one that leaves a gap or overlaps is told where to go on")
    func offsets() throws {
        _ = try blobs().put(blob.hash, query(0, of: blob), piece: blob.piece(0, 400), from: a.registered)
        let again = try blobs().put(blob.hash, query(0, of: blob), piece: blob.piece(0, 400), from: a.registered)
        #expect(again.have == 400)
        for wrong in [UInt64(401), 500, 200] {
            let error = #expect(throws: HubError.self) {
                _ = try blobs().put(
                    blob.hash, query(wrong, of: blob), piece: blob.piece(wrong, 400), from: a.registered)
            }
            #expect(error?.code == .blobOffset && error?.blob?.have == 400 && error?.recovery == .retry)
        }
        try give(blob, from: 400)
        let late = try blobs().put(blob.hash, query(77, of: blob), piece: [1], from: a.registered)
        #expect(late.have == 1000, "who comes late learns that it is whole")
        #expect(try content(blob, for: a) == blob.bytes)
    }

    @Test("two devices that give the same at once do not mix their pieces")
    func races() throws {
        let liar = SampleBlob(bytes: blob.bytes.map { $0 ^ 1 })
        _ = try blobs().put(blob.hash, query(0, of: blob), piece: blob.piece(0, 500), from: a.registered)
        _ = try blobs().put(blob.hash, query(0, of: blob), piece: liar.piece(0, 700), from: b.registered)
        #expect(
            refusal {
                _ = try blobs().put(blob.hash, query(700, of: blob), piece: liar.piece(700), from: b.registered)
            } == "badDigest")
        #expect(refusal { _ = try content(blob, for: a) } == "notFound")
        try give(blob, from: 500)
        #expect(try content(blob, for: b) == blob.bytes)
    }

    @Test("wrong bytes are thrown away whole, and the upload begins anew")
    func wrongBytes() throws {
        let wrong = SampleBlob(1000, seed: 2)
        _ = try blobs().put(blob.hash, query(0, of: blob), piece: wrong.piece(0, 999), from: a.registered)
        #expect(
            refusal {
                _ = try blobs().put(blob.hash, query(999, of: blob), piece: wrong.piece(999), from: a.registered)
            } == "badDigest")
        #expect(refusal { _ = try status(blob, for: a) } == "notFound")
        #expect(try folder.parts().isEmpty)
        try give(blob)
        #expect(try content(blob, for: a) == blob.bytes)
    }

    @Test("an upload that goes on with another size or type begins anew")
    func otherSize() throws {
        var other = query(0, of: blob)
        other.size = 2000
        _ = try blobs().put(blob.hash, other, piece: blob.piece(0, 400), from: a.registered)
        #expect(
            refusal { _ = try blobs().put(blob.hash, query(400, of: blob), piece: [1], from: a.registered) }
                == "blobOffset")
        try give(blob)
        #expect(try content(blob, for: a) == blob.bytes)
    }

    // MARK: refusals

    @Test("what is empty, too large, of another type, or longer than it says is refused")
    func rules() throws {
        let device = a.registered
        let hub = HubBlobs(hub: fixture.hub, shelf: try shelf(limit: 1000))
        func put(_ size: UInt64?, _ type: String?, _ piece: [UInt8]) -> String? {
            refusal {
                _ = try hub.put(
                    blob.hash, BlobQuery(channel: channel, size: size, type: type), piece: piece, from: device)
            }
        }
        #expect(put(0, "image/png", []) == "malformed" && put(nil, "image/png", [1]) == "malformed")
        #expect(put(10, nil, [1]) == "malformed" && put(10, "image/png", []) == "malformed")
        #expect(put(1001, "image/png", [1]) == "tooLarge" && put(.max, "image/png", [1]) == "tooLarge")
        #expect(put(10, "text/html", [1]) == "typeNotAllowed" && put(10, "", [1]) == "typeNotAllowed")
        #expect(put(10, "image/png", Array(repeating: 1, count: 11)) == "malformed")
        #expect(try folder.parts().isEmpty, "nothing of it was kept")
    }

    @Test("a device may have only so many unfinished, each for seven days, and the others go on")
    func quota() throws {
        let many = (0..<UInt64(BlobRules.unfinishedUploads) + 1).map { SampleBlob(10, seed: $0) }
        func begin(_ blob: SampleBlob, _ device: DeviceFixture) -> String? {
            refusal {
                _ = try blobs().put(blob.hash, query(0, of: blob), piece: blob.piece(0, 5), from: device.registered)
            }
        }
        for blob in many.dropLast() { #expect(begin(blob, a) == nil) }
        let last = try #require(many.last)
        #expect(begin(last, a) == "uploadQuota" && begin(last, b) == nil)
        try give(many[0], from: 5)
        #expect(begin(last, a) == nil)
        fixture.clock.advance(milliseconds: BlobRules.unfinishedMilliseconds + 1)
        let later = SampleBlob(10, seed: 99)
        #expect(begin(later, a) == nil)
        #expect(try folder.parts().count == 1, "what nobody went on with is gone")
        #expect(try content(many[0], for: b) == many[0].bytes, "and what was whole is not")
    }

    // MARK: rights

    @Test("only who may write in a channel gives there, only who reads it has what was given there")
    func rights() throws {
        try fixture.hub.grant("reader", to: "B", in: channel)
        #expect(refusal { try give(blob, by: b) } == "forbidden")
        try give(blob)
        #expect(try content(blob, for: b) == blob.bytes)
        try fixture.hub.grant("none", to: "B", in: channel)
        #expect(refusal { _ = try content(blob, for: b) } == "notFound")
        #expect(refusal { _ = try status(blob, for: b) } == "notFound")
        try fixture.hub.define(role: "scribe", rights: ["attachment": .insert])
        try fixture.hub.grant("scribe", to: "B", in: channel)
        #expect(try content(blob, for: b) == blob.bytes)
        let other = SampleBlob(50, seed: 4)
        #expect(try give(other, by: b).have == 50)
    }

    @Test("a hash alone opens nothing: in another channel the same bytes have to be given again")
    func twoChannels() throws {
        try give(blob)
        #expect(refusal { _ = try content(blob, for: b, in: "plan/KH2") } == "notFound")
        #expect(refusal { _ = try status(blob, for: b, in: "plan/KH2") } == "notFound")
        let first = try blobs().put(
            blob.hash, query(0, of: blob, in: "plan/KH2"), piece: blob.piece(0, 10), from: b.registered)
        #expect(first.have == 10, "nothing is said of what was given elsewhere")
        try give(blob, from: 10, by: b, in: "plan/KH2")
        #expect(try content(blob, for: a, in: "plan/KH2") == blob.bytes)
        #expect(try folder.all() == [blob.hash], "there is one copy")
    }

    @Test("a revoked device neither gives nor has anything")
    func revoked() throws {
        try give(blob)
        try fixture.hub.revoke(b.identity.key.publicKey, reason: "stolen")
        #expect(refusal { _ = try content(blob, for: b) } == "revoked")
        #expect(refusal { _ = try status(blob, for: b) } == "revoked")
        #expect(refusal { try give(blob, by: b) } == "revoked")
    }

    // MARK: disks

    @Test("a full disk refuses the piece and keeps those before; with room again it goes on")
    func diskFull() throws {
        _ = try blobs().put(blob.hash, query(0, of: blob), piece: blob.piece(0, 400), from: a.registered)
        files.setRoom(100)
        #expect(
            refusal {
                _ = try blobs().put(blob.hash, query(400, of: blob), piece: blob.piece(400, 400), from: a.registered)
            }
                == "store: diskFull")
        #expect(try status(blob, for: a).have == 400)
        files.setRoom(.max)
        try give(blob, from: 400)
        #expect(try content(blob, for: b) == blob.bytes)
    }

    @Test("bytes that were written and never noted, or noted and lost, do no harm")
    func powerCut() throws {
        _ = try blobs().put(blob.hash, query(0, of: blob), piece: blob.piece(0, 400), from: a.registered)
        let part = try #require(try folder.parts().first).name
        try folder.write([9, 9, 9], toPart: part, at: 400, isDurable: true)
        #expect(try status(blob, for: a).have == 400)
        _ = try blobs().put(blob.hash, query(400, of: blob), piece: blob.piece(400, 400), from: a.registered)
        try folder.cutPart(part, to: 700)
        #expect(
            refusal { _ = try blobs().put(blob.hash, query(800, of: blob), piece: blob.piece(800), from: a.registered) }
                == "blobOffset")
        try give(blob)
        #expect(try content(blob, for: a) == blob.bytes)
    }

    @Test("a damaged one is found and set aside, counts as lacking, and is given again")
    func damaged() throws {
        let other = SampleBlob(30, seed: 3)
        try give(blob)
        try give(other)
        try give(blob, by: b, in: "plan/KH2")
        #expect(try shelf().verify().problems == [] && shelf().verify().good == 2)
        var bytes = blob.bytes
        bytes[7] ^= 0x10
        try Data(bytes).write(to: URL(filePath: folder.path(of: blob.hash)))
        let found = try shelf().verify()
        #expect(found.good == 1 && found.problems.count == 1 && found.problems[0].contains("\(blob.hash)"))
        #expect(refusal { _ = try status(blob, for: a) } == "notFound")
        #expect(try shelf().verify().problems.count == 1, "it is told until it is back")
        try give(blob)
        #expect(try shelf().verify().problems == [])
        #expect(try content(blob, for: a, in: "plan/KH2") == blob.bytes)
    }
}
