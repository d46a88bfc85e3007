import KenhMerge
import KenhProtocol

/// Checks that every erased value is named by an erasure that the centre signed, and that none is left which one names.
struct ErasureVerifier {
    let core: StoreCore

    /// What is kept of the entries against what they say.
    func run(_ report: inout VerifyReport) throws {
        let read = try core.sql("SELECT object, proof, content FROM kenh_erasure")
        defer { read.reset() }
        while try read.step() {
            guard let proof = EntryProof(stored: read.array(1)), proof.object.bytes == read.array(0),
                let erasure = try? Delivery.Erasure(proof: proof, bytes: read.array(2))
            else {
                report.add("an erasure is not the one that the centre signed")
                continue
            }
            for part in erasure.content.blocks {
                let names = try core.erasures.names(of: part.hash)
                let isListed = part.changes.allSatisfy { change in
                    change.columns.allSatisfy {
                        names.contains(Erasure.Name(block: part.hash, place: change.place, column: $0))
                    }
                }
                if !isListed { report.add("an erasure of block \(part.hash) is not in the list of what was erased") }
            }
        }
    }

    /// - Returns: how many values are erased, and what is wrong with them.
    func check(_ block: Block, _ body: BlockBody) throws -> (erased: Int, problems: [String]) {
        guard !body.committed.isEmpty else { return (0, []) }
        let named = try core.erasures.names(of: block.hash)
        var problems: [String] = []
        for value in body.committed {
            let name = body.name(of: value, in: block.hash)
            let what = "\(name.column) of its change \(name.place)"
            if value.isErased, !named.contains(name) {
                problems.append("lacks \(what), which no erasure names")
            } else if !value.isErased, named.contains(name) {
                problems.append("holds \(what), which was erased")
            }
        }
        return (body.committed.count { $0.isErased }, problems)
    }
}
