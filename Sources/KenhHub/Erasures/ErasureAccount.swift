import KenhMerge
import KenhProtocol

/// Erasable values of many blocks, eight bytes each, and what erasures name of them: whether every erased one is accounted
/// for, and every one that is named is gone.
struct ErasureAccount {
    private var columns: [String: UInt64] = [:]
    private var names: [String] = []
    private var erased: [Hash256: Set<UInt64>] = [:]
    private var present: [Hash256: Set<UInt64>] = [:]
    private var named: [Hash256: Set<UInt64>] = [:]

    private mutating func key(_ place: Int, _ column: String) -> UInt64 {
        let number = columns[column] ?? UInt64(names.count)
        if number == names.count {
            columns[column] = number
            names.append(column)
        }
        return UInt64(place) << 32 | number
    }

    mutating func add(_ body: BlockBody, of block: Hash256) {
        for value in body.committed {
            let column = body.tables[Int(body.tableRefs[value.change])].columns[value.column]
            let key = key(value.change, column)
            if value.isErased {
                erased[block, default: []].insert(key)
            } else {
                present[block, default: []].insert(key)
            }
        }
    }

    /// - Returns: whether all that it names was added before, or was to be passed over.
    mutating func add(_ erasure: Erasure, where isKnown: (Hash256) -> Bool) -> Bool {
        var hasAll = true
        for part in erasure.blocks {
            guard isKnown(part.hash) else {
                hasAll = false
                continue
            }
            for change in part.changes {
                for column in change.columns {
                    let key = key(change.place, column)
                    named[part.hash, default: []].insert(key)
                    let isThere =
                        erased[part.hash]?.contains(key) ?? false || present[part.hash]?.contains(key) ?? false
                    hasAll = hasAll && isThere
                }
            }
        }
        return hasAll
    }

    /// Erased values that an erasure names.
    var accountedFor: Int {
        erased.reduce(0) { $0 + $1.value.intersection(named[$1.key] ?? []).count }
    }

    /// One sentence for each block with something wrong.
    var problems: [String] {
        let lost = erased.compactMap { block, keys in
            sentence(keys.subtracting(named[block] ?? []), of: block) { "lacks \($0), which no erasure names" }
        }
        let kept = named.compactMap { block, keys in
            sentence(keys.intersection(present[block] ?? []), of: block) { "holds \($0), which was erased" }
        }
        return (lost + kept).sorted()
    }

    private func sentence(_ keys: Set<UInt64>, of block: Hash256, _ words: (String) -> String) -> String? {
        guard let first = keys.min() else { return nil }
        let what = "\(names[Int(first & 0xffff_ffff)]) of change \(first >> 32)"
        return "block \(block) " + words(keys.count == 1 ? what : "\(what) and \(keys.count - 1) values more")
    }
}
