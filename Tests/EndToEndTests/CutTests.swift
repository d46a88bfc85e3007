import Foundation
import KenhTesting
import Testing

/// What crosses the line in one exchange, measured without letting it through.
private struct Measured {
    let message: HTTPMessage

    init(_ node: Node, _ direction: Line.Direction) throws {
        let line = try #require(node.line)
        line.arm(direction, at: 0, .keepBack)
        _ = try node.sync()
        #expect(line.disarm())
        message = try #require(HTTPMessage(line.passed(direction)), "nothing whole was kept back")
    }

    /// In the head, at its end, at every boundary between blocks, inside each block, and before the last byte.
    func places(blocksField: Int, using random: inout SeededGenerator) -> [Int] {
        let boundaries = message.boundaries(ofField: blocksField)
        let inside = zip(boundaries, boundaries.dropFirst()).map { $0 + random.below(max($1 - $0, 1)) }
        let head = [0, 1, random.below(message.headCount), message.headCount - 1, message.headCount]
        return Set(head + boundaries + inside + [message.count - 1]).filter { $0 < message.count }.sorted()
    }
}

@Suite("A line that is cut")
struct CutTests {
    private static let work = """
        BEGIN;
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
        INSERT INTO work_item(id, channel, title, description, weight)
        SELECT printf('%05d', i),
            CASE WHEN i <= 26000 THEN 'plan/KH1' WHEN i <= 44000 THEN 'plan/KH2' WHEN i <= 52000 THEN 'plan/KH3'
                ELSE 'cell/CB1' END,
            'Việc ' || i,
            printf('%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x',
                i * 2654435761 % 4294967291, i * i * 40503 % 4294967291, i * 2246822519 % 4294967279,
                i * i * 65599 % 4294967231, i * 3266489917 % 4294967291, i * i * 69069 % 4294967291,
                i * 668265263 % 4294967279, i * i * 16777 % 4294967231, i * 374761393 % 4294967291,
                i * i * 31337 % 4294967291, i * 2654435769 % 4294967279, i * i * 48271 % 4294967231,
                i * 2147483647 % 4294967291, i * i * 16807 % 4294967291, i * 1664525 % 4294967,
                i * i * 22695 % 4294967231, i * 1103515245 % 4294967291, i * i * 12345 % 4294967291,
                i * 1597334677 % 4294967279, i * i * 39373 % 4294967231),
            i * 0.25
        FROM n;
        COMMIT;
        """
    private static let rows = 60_000

    @Test("loses nothing, wherever it is cut, and the next sync goes on")
    func everywhere() throws {
        var random = SeededGenerator(seed: 20)
        let organisation = try Organisation(["CB1", "CB2"])
        let (sender, reader) = (organisation["CB1"], organisation["CB2"])
        try sender.sql(Self.work)
        try cutUploads(sender, organisation, &random)
        try cutBetweenRequests(sender, organisation, &random)
        try cutReceipts(sender, organisation, &random)
        try sender.synced()
        try cutDownloads(reader, organisation, &random)
        try organisation.settle(minimumRows: Self.rows)
    }

    /// The centre never sees a whole request, so it takes nothing, and the cell offers the same again.
    private func cutUploads(
        _ cell: Node, _ organisation: Organisation, _ random: inout SeededGenerator
    ) throws {
        let upload = try Measured(cell, .up)
        #expect(upload.message.boundaries(ofField: 4).count > 4, "one request carries several blocks")
        for place in upload.places(blocksField: 4, using: &random) {
            try cut(cell, .up, at: place)
            #expect(try organisation.loggedBlocks() == 0, "cut after \(place) bytes")
        }
    }

    /// The first request gets through, a later one on the same connection does not.
    private func cutBetweenRequests(
        _ cell: Node, _ organisation: Organisation, _ random: inout SeededGenerator
    ) throws {
        let first = try Measured(cell, .up).message
        let place = first.count + first.headCount + random.below(100_000)
        try cut(cell, .up, at: place)
        let logged = try organisation.loggedBlocks()
        #expect(logged > 0)
        #expect(try cell.status()["unsentChanges"] as? Int ?? 0 > 0, "the work needs more than one request")
    }

    /// The centre takes the blocks and the cell does not learn of it.
    private func cutReceipts(_ cell: Node, _ organisation: Organisation, _ random: inout SeededGenerator) throws {
        let answer = try Measured(cell, .down)
        let logged = try organisation.loggedBlocks()
        for place in answer.places(blocksField: 1, using: &random) {
            try cut(cell, .down, at: place)
            #expect(try organisation.loggedBlocks() == logged, "what is sent again is not logged again")
        }
    }

    private func cutDownloads(_ cell: Node, _ organisation: Organisation, _ random: inout SeededGenerator) throws {
        let answer = try Measured(cell, .down)
        #expect(answer.message.boundaries(ofField: 2).count > 4, "one answer carries several blocks")
        for place in answer.places(blocksField: 2, using: &random) {
            try cut(cell, .down, at: place)
            #expect(try cell.sql("SELECT count(*) FROM work_item;") == "0", "cut after \(place) bytes")
        }
    }

    private func cut(_ cell: Node, _ direction: Line.Direction, at place: Int) throws {
        let line = try #require(cell.line)
        line.arm(direction, at: place, .cut)
        let outcome = try cell.sync()
        #expect(line.disarm(), "the line was not cut at \(place)")
        #expect(outcome.status == 69 && outcome.hasOneLineError, "cut after \(place) bytes: \(outcome)")
    }
}
