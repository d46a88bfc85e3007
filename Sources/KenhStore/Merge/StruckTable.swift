import KenhMerge

/// What struck changes named: whoever names one of them names that, too, so that a write that nobody merges still stands
/// between those before and after it.
final class StruckTable {
    private let sql: StatementCache
    /// Most stores have none, and then nothing is looked up. Asked for every change and only from here: the checks of
    /// exclusive access are left out.
    @exclusivity(unchecked) private(set) var hasAny = false

    init(_ sql: StatementCache) { self.sql = sql }

    func load() throws(StoreError) {
        let read = try sql("SELECT 1 FROM kenh_struck LIMIT 1")
        defer { read.reset() }
        hasAny = try read.step()
    }

    func all() throws(StoreError) -> Set<Dot> {
        let read = try sql("SELECT branch, counter FROM kenh_struck")
        defer { read.reset() }
        var dots: Set<Dot> = []
        while try read.step() {
            dots.insert(Dot(branch: UInt32(clamping: read.int(0)), counter: UInt64(clamping: read.int(1))))
        }
        return dots
    }

    func add(_ dot: Dot, named: [Dot]) throws(StoreError) {
        hasAny = true
        var writer = ByteWriter()
        for dot in named {
            writer.varint(UInt64(dot.branch))
            writer.varint(dot.counter)
        }
        let insert = try sql("INSERT OR IGNORE INTO kenh_struck(branch, counter, named) VALUES(?, ?, ?)")
        insert.bind(1, Int(dot.branch))
        insert.bind(2, Int64(clamping: dot.counter))
        insert.bind(3, copying: writer.bytes)
        try insert.run()
    }

    /// Adds what the struck ones among the dots named, and the struck ones among those, and so on.
    @inline(__always)
    func addNamed(to dots: inout [Dot]) throws {
        if hasAny { try lookUp(&dots) }
    }

    private func lookUp(_ dots: inout [Dot]) throws {
        var seen = Set(dots)
        var at = 0
        while at < dots.count {
            for dot in try named(by: dots[at]) where seen.insert(dot).inserted { dots.append(dot) }
            at += 1
        }
    }

    func named(by dot: Dot) throws -> [Dot] {
        let read = try sql("SELECT named FROM kenh_struck WHERE branch = ? AND counter = ?")
        defer { read.reset() }
        read.bind(1, Int(dot.branch))
        read.bind(2, Int64(clamping: dot.counter))
        guard try read.step() else { return [] }
        var reader = ByteReader(read.bytes(0))
        var dots: [Dot] = []
        do {
            while !reader.isAtEnd {
                let branch = try reader.count(upTo: Int(UInt32.max))
                dots.append(Dot(branch: UInt32(branch), counter: try reader.varint()))
            }
        } catch { throw BranchIndex.damaged }
        return dots
    }
}
