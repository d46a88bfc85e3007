import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import KenhTesting

extension PowerCutTrial.Scenario {
    /// - Parameter durability: how the files are written.
    static func all(_ durability: Durability) throws -> [PowerCutTrial.Scenario] {
        [
            try writes(durability), try plainWrites(durability), try seals(durability), try deliveries(durability),
            try migrations(durability), try creation(durability), centreLog(durability),
        ]
    }

    /// The application's own transactions, small and large.
    static func writes(_ durability: Durability) throws -> PowerCutTrial.Scenario {
        let machine = try StoreMachine(seed: 1, durability)
        return store("writes", machine, prepare: { try machine.fill($0) }) { store, acknowledge in
            try store.write { try $0.insert("item", StoreMachine.line("new", 3)) }
            try acknowledge()
            try store.write(officer: "lan") { transaction in
                try transaction.execute("UPDATE item SET amount = amount + 1, note = 'x' WHERE amount % 3 = 0")
                try transaction.delete("task", id: .text("task 7"))
            }
            try acknowledge()
            try store.write { transaction in
                for number in 0..<60 { try transaction.insert("item", StoreMachine.line("more \(number)", number)) }
            }
            try acknowledge()
        }
    }

    /// Another program's transactions, which know nothing of Kenh.
    static func plainWrites(_ durability: Durability) throws -> PowerCutTrial.Scenario {
        let machine = try StoreMachine(seed: 2, durability)
        return PowerCutTrial.Scenario(
            "plain writes", prepare: { try machine.fill(try machine.open($0)) },
            act: { disk, acknowledge in
                SQLiteTime.set(StoreMachine.start)
                let file = try PlainFile(disk.path("kenh.db"), durability: durability)
                for number in 0..<3 {
                    try file.write { port in
                        try port.run("INSERT INTO item(id, title) VALUES(?, 'by hand')", [.text("hand \(number)")])
                        try port.run("DELETE FROM item WHERE amount % 11 = ?", [.integer(Int64(number))])
                        try port.run("UPDATE task SET points = ? WHERE id > 'task 2'", [.integer(Int64(number))])
                    }
                    try acknowledge()
                }
            }, inspect: { try machine.inspect($0, isDeep: $1) })
    }

    static func seals(_ durability: Durability) throws -> PowerCutTrial.Scenario {
        let machine = try StoreMachine(seed: 3, durability)
        return store("seals", machine, prepare: { try machine.fill($0) }) { store, acknowledge in
            _ = try store.seal(as: machine.identity)
            try acknowledge()
            try store.write { try $0.update("item", id: .text("row 3"), [("title", .text("after"))]) }
            try acknowledge()
            _ = try store.seal(as: machine.identity)
            try acknowledge()
        }
    }

    /// Another cell's blocks arrive, in two deliveries, beside own unsealed changes to the same rows.
    static func deliveries(_ durability: Durability) throws -> PowerCutTrial.Scenario {
        let (machine, other) = (try StoreMachine(seed: 4, durability), try StoreMachine(seed: 5, durability))
        let blocks = try blocks(of: other)
        let known = Delivery(registry: [machine, other].flatMap(\.registry))
        let prepare: @Sendable (Store) throws -> Void = { store in
            _ = try store.take(known, as: machine.identity)
            try machine.fill(store, rows: 8)
        }
        return store("deliveries", machine, prepare: prepare) { store, acknowledge in
            for half in [blocks.prefix(blocks.count / 2), blocks.suffix(blocks.count - blocks.count / 2)] {
                let items = half.enumerated().map { place, block in
                    Delivery.Item(
                        hash: block.hash, block: block,
                        acceptance: .init(sequence: UInt64(place), acceptedAtMilliseconds: StoreMachine.start))
                }
                _ = try store.take(Delivery(items: items), as: machine.identity)
                try acknowledge()
            }
        }
    }

    private static func blocks(of machine: StoreMachine) throws -> [Block] {
        let store = try machine.open(RAMDisk(seed: 0))
        try machine.fill(store, rows: 20)
        return try store.outbox(as: machine.identity, limitBytes: 1 << 30).blocks
    }

    /// A start with a newer schema.
    static func migrations(_ durability: Durability) throws -> PowerCutTrial.Scenario {
        let machine = try StoreMachine(seed: 6, durability)
        return PowerCutTrial.Scenario(
            "migrations",
            prepare: { disk in
                let store = try machine.open(disk, schema: SimulatedSchema.first)
                try machine.fill(store)
                _ = try store.seal(as: machine.identity)
            },
            act: { disk, acknowledge in
                let store = try machine.open(disk)
                try acknowledge()
                try store.write { try $0.insert("memo", [("id", .text("m")), ("text", .text("first"))]) }
                try acknowledge()
            }, inspect: { try machine.inspect($0, isDeep: $1) })
    }

    /// A store's very first start.
    static func creation(_ durability: Durability) throws -> PowerCutTrial.Scenario {
        let machine = try StoreMachine(seed: 7, durability)
        return PowerCutTrial.Scenario(
            "creation", prepare: { _ in },
            act: { disk, acknowledge in
                let store = try machine.open(disk)
                try acknowledge()
                try store.write { try $0.insert("item", StoreMachine.line("first", 1)) }
                try acknowledge()
            }, inspect: { try machine.inspect($0, isDeep: $1) })
    }

    private static func store(
        _ name: String, _ machine: StoreMachine, prepare: @escaping @Sendable (Store) throws -> Void,
        act: @escaping @Sendable (Store, () throws -> Void) throws -> Void
    ) -> PowerCutTrial.Scenario {
        PowerCutTrial.Scenario(
            name, prepare: { try prepare(try machine.open($0)) },
            act: { try act(try machine.open($0), $1) }, inspect: { try machine.inspect($0, isDeep: $1) })
    }
}
