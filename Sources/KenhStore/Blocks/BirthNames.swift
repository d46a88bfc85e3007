import KenhMerge
import KenhProtocol

/// Finds the ids of rows that a block names by the dots of their inserts, in the blocks that hold those inserts.
///
/// A birth dot is on the block's own line or not above one of its pins, so the insert's block is here, and applied,
/// before the block can be.
final class BirthNames {
    private let index: BranchIndex
    private let blocks: BlockTable
    private let codec: BlockCodec
    /// What the base of a channel says of a block that is here without its body.
    var births: ((_ hash: Hash256) throws -> BlockBirths?)?
    /// What was read last: one block after another mostly names rows of the same one.
    private var latest: (hash: Hash256, births: BlockBirths)?

    init(index: BranchIndex, blocks: BlockTable, codec: BlockCodec) {
        (self.index, self.blocks, self.codec) = (index, blocks, codec)
    }

    private struct Named {
        let dot: Dot
        /// In ``BlockBody/births``.
        let place: Int
    }

    /// Completes a body.
    ///
    /// - Parameter branches: the branch that each reference means: 0 the block's own, then the pins.
    /// - Throws: `ProtocolError` where a birth dot does not lead to an insert; nothing is guessed.
    func complete(_ body: inout BlockBody, branches: [Int]) throws {
        guard !body.births.isEmpty else { return }
        let named = try dots(of: body, branches: branches)
        var cost = 0
        var at = 0
        while at < named.count {
            guard let span = try index.span(of: named[at].dot) else { throw Self.lost }
            let births = try births(span.hash, cost: &cost)
            repeat {
                try body.name(named[at].place, after: births, at: Int(named[at].dot.counter - span.first))
                at += 1
            } while at < named.count && named[at].dot.branch == named[at - 1].dot.branch
                && named[at].dot.counter <= span.last
        }
    }

    /// Sorted, so that no block is read twice.
    private func dots(of body: BlockBody, branches: [Int]) throws -> [Named] {
        var named: [Named] = []
        named.reserveCapacity(body.births.count)
        var isSorted = true
        for (place, birth) in body.births.enumerated() {
            let line = branches[Int(birth.birth.reference)]
            guard let dot = index.dot(counter: birth.birth.counter, onLineOf: line) else { throw Self.lost }
            if let last = named.last, Self.precedes(dot, last.dot) { isSorted = false }
            named.append(Named(dot: dot, place: place))
        }
        if !isSorted { named.sort { Self.precedes($0.dot, $1.dot) } }
        return named
    }

    private static func precedes(_ a: Dot, _ b: Dot) -> Bool {
        a.branch != b.branch ? a.branch < b.branch : a.counter < b.counter
    }

    /// A block of this store, decoded and completed. Where what it builds on is not here, rows that are named by births
    /// keep an empty id.
    func open(_ block: Block, channel: Int) throws -> BlockBody {
        var body = try codec.open(block)
        guard !body.births.isEmpty, let branch = try index.block(hash: block.hash)?.branch else { return body }
        var branches = [branch]
        for pin in body.pins {
            guard let pinned = try index.block(pinnedBy: pin, channel: channel) else { return body }
            branches.append(pinned.branch)
        }
        try complete(&body, branches: branches)
        return body
    }

    private func births(_ hash: Hash256, cost: inout Int) throws -> BlockBirths {
        guard let plainSize = try blocks.plainSize(of: hash) else { throw Self.lost }
        cost += plainSize + Limits.birthBlockCost
        guard cost <= Limits.birthBytesPerBlock else {
            throw ProtocolError(.malformed, "the block names its rows by inserts in too many blocks")
        }
        if let latest, latest.hash == hash { return latest.births }
        let births: BlockBirths
        if let block = try blocks.block(hash) {
            births = try codec.births(of: block)
        } else if let known = try self.births?(hash) {
            births = known
        } else {
            throw Self.lost
        }
        latest = (hash, births)
        return births
    }

    private static let lost = ProtocolError(.malformed, "a change names its row by an insert that is not here")
}
