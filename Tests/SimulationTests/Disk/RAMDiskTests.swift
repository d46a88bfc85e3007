import KenhMerge
import KenhStore
import KenhTesting
import Testing

@Suite struct RAMDiskTests {
    private let disk = RAMDisk(seed: 1)

    private func file(_ disk: RAMDisk) throws -> DurableDatabase {
        try DurableDatabase(
            path: disk.path("file.db"), applicationID: 7, format: 1,
            ddl: "CREATE TABLE item(number INTEGER PRIMARY KEY, data BLOB)")
    }

    private func insert(_ number: Int, _ file: DurableDatabase) throws {
        try file.write { sql in
            let insert = try sql("INSERT INTO item VALUES(?, zeroblob(6000))")
            insert.bind(1, number)
            try insert.run()
        }
    }

    private func count(_ file: DurableDatabase) throws -> Int64 {
        try file.read { sql in
            let read = try sql("SELECT count(*) FROM item")
            defer { read.reset() }
            return try read.step() ? read.int(0) : -1
        }
    }

    @Test("Files are there as long as the disk is, and on no other disk")
    func files() throws {
        try insert(1, try file(disk))
        #expect(try count(try file(disk)) == 1)
        #expect(try count(try file(RAMDisk(seed: 1))) == 0)
        #expect(disk.usedBytes > 6000)
    }

    @Test("A copy has what lay there when it was made, and goes its own way")
    func copies() throws {
        try insert(1, try file(disk))
        let copy = disk.copy(seed: 2)
        try insert(2, try file(disk))
        #expect(try count(try file(copy)) == 1)
        disk.replace(with: copy)
        #expect(try count(try file(disk)) == 1)
    }

    @Test("What is open when the process ends fails until it is opened again", arguments: [false, true])
    func down(isCut: Bool) throws {
        let open = try file(disk)
        try insert(1, open)
        if isCut { disk.cutPower() } else { disk.kill() }
        #expect(disk.isDown)
        #expect(throws: StoreError.self) { try count(open) }
        #expect(throws: StoreError.self) { try file(disk) }
        disk.start()
        #expect(throws: StoreError.self) { try insert(2, open) }
        #expect(try count(try file(disk)) == 1)
    }

    @Test("An I/O that was chosen fails once, and the file goes on")
    func failure() throws {
        let open = try file(disk)
        disk.arm(.fail, at: DiskIO.write.kinds, after: 2)
        #expect(throws: StoreError.self) { try insert(1, open) }
        #expect(disk.tally.failures == 1)
        #expect(!disk.isArmed)
        try insert(2, open)
        #expect(try count(open) == 1)
    }

    @Test("A disk without room refuses what makes its files larger, and says that it is full")
    func full() throws {
        let open = try file(disk)
        try insert(1, open)
        disk.limit(roomBytes: 4096)
        var done = 1
        let error = #expect(throws: StoreError.self) {
            while done < 10_000 {
                try insert(done + 1, open)
                done += 1
            }
        }
        #expect(error?.code == .diskFull)
        #expect(try count(open) == done)
        disk.limit(roomBytes: nil)
        try insert(done + 1, open)
        #expect(try count(open) == done + 1)
    }

    @Test("The same seed leaves the same after a cut", arguments: 0..<20 as Range<UInt64>)
    func repeatable(seed: UInt64) throws {
        func left() throws -> (RAMDisk.Tally, Int64) {
            let disk = RAMDisk(seed: seed)
            let open = try file(disk)
            disk.arm(.cut, after: 1 + Int(seed))
            for number in 0..<4 { try? insert(number, open) }
            #expect(disk.isDown)
            disk.start()
            return (disk.tally, try count(try file(disk)))
        }
        let (first, second) = (try left(), try left())
        #expect(first == second)
    }

    @Test("SQL takes the time that was set for the thread, and triggers with it")
    func time() throws {
        let file = try file(disk)
        func seconds() throws -> Int64 {
            try file.read { sql in
                let read = try sql("SELECT unixepoch()")
                defer { read.reset() }
                return try read.step() ? read.int(0) : -1
            }
        }
        defer { SQLiteTime.clear() }
        for milliseconds in [1_760_000_000_000, 0, 4_000_000_000_000] as [Int64] {
            SQLiteTime.set(milliseconds)
            #expect(try seconds() == milliseconds / 1000)
        }
    }
}
