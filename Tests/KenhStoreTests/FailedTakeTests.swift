import KenhMerge
import KenhProtocol
import KenhStore
import Testing

@Suite("A delivery that cannot be taken") struct FailedTakeTests {
    @Test("leaves no cursor, block or registry entry behind, and what comes next is taken as if it had not been")
    func nothingLeft() throws {
        let organisation = try OrganisationFixture()
        let (a, b) = (organisation["A"], organisation["B"])
        try a.insert("item", "x", [("title", "t")])
        try a.seal()
        try organisation.send(a)
        let block = organisation.waiting(for: b)[0]
        let cursor = ChannelCursor(
            channel: block.header.channel, epoch: [1], sequence: 2, logHash: Hash256(1, 2, 3, 4))
        let good = Delivery.Item(
            hash: block.hash, block: block, acceptance: .init(sequence: 1, acceptedAtMilliseconds: 5))
        // A block that is said to be here and is not.
        let bad = Delivery.Item(
            hash: Hash256(9, 9, 9, 9), block: nil, acceptance: .init(sequence: 2, acceptedAtMilliseconds: 5))
        let delivery = Delivery(items: [good, bad], registry: organisation.registry, cursors: [cursor])
        #expect(throws: StoreError.self) { try b.store.take(delivery, as: b.identity) }
        #expect(try b.store.cursors().allSatisfy { $0.sequence == 0 })
        #expect(try b.store.block(block.hash) == nil)
        #expect(try b.store.deviceKey(of: a.identity.replica) == nil)
        #expect(try !b.isShown("item", "x"))
        try organisation.exchange()
        #expect(try b.value("item", "x", "title") == "t")
    }
}
