import KenhMerge
import KenhProtocol

extension FuzzTarget {
    /// Rulings, roles and grants from the wire: refused in words, or such as mean the same on every node.
    static let rights = FuzzTarget("rights", seeds: { try RightsFuzz.seeds() }) { bytes in
        var input = FuzzInput(bytes)
        switch input.below(3) {
        case 0: try RightsFuzz.checkRuling(input.rest())
        case 1: try RightsFuzz.checkSets(&input)
        default: try RightsFuzz.checkRights(&input)
        }
    }
}

private enum RightsFuzz {
    /// What is read is in order, and is read again as the same.
    static func checkRuling(_ bytes: [UInt8]) throws {
        guard let ruling = try? Ruling(decoding: bytes) else { return }
        let ranges = ruling.struck.ranges
        try require(!ranges.isEmpty && ranges.allSatisfy { !$0.isEmpty }, "a ruling that strikes nothing")
        try require(
            zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound }, "ranges that meet")
        try require(ranges[ranges.count - 1].upperBound <= Limits.changesPerBlock, "more than a block has")
        try require(try Ruling(decoding: ruling.encoded) == ruling, "a ruling is not read as it was written")
    }

    /// Against sets of numbers.
    static func checkSets(_ input: inout FuzzInput) throws {
        let (a, b) = (numbers(&input), numbers(&input))
        let (x, y) = (ChangeSet(a.sorted()), ChangeSet(b.sorted()))
        try require(Set(x.union(y).ranges.joined()) == a.union(b), "a union is another set")
        try require(x.union(y) == y.union(x) && x.union(x) == x, "a union depends on the order")
        try require(x.isSubset(of: y) == a.isSubset(of: b), "a subset is none")
        try require(x.count == a.count && (0..<300).allSatisfy { x.contains($0) == a.contains($0) }, "another set")
    }

    private static func numbers(_ input: inout FuzzInput) -> Set<Int> {
        (0..<input.below(12)).reduce(into: Set()) { set, _ in
            let first = Int(input.byte())
            set.formUnion(first..<first + input.below(6))
        }
    }

    /// Whatever was stated, one role comes out, whichever way round statements of different times came.
    static func checkRights(_ input: inout FuzzInput) throws {
        let cells = ["A", "B", "*", ""]
        let channels = ["org", "plan/*", "plan/1", "*", "p*", "kenh/registry"]
        var grants: [Grant] = []
        for time in 0..<input.below(8) {
            var wire = WireGranted()
            wire.cell = input.flag() ? input.pick(cells) : input.text()
            wire.channel = input.flag() ? input.pick(channels) : input.text()
            wire.role = input.flag() ? input.pick(["none", "reader", "writer", "some"]) : input.text()
            guard let grant = try? Grant(wire, statedAtMilliseconds: Int64(time)) else { continue }
            try require(grant.wire == wire, "a grant is not written as it was read")
            grants.append(grant)
        }
        var roles: [Role] = []
        if let wire = try? WireCoding.decode(WireRoleDefined.self, from: input.rest()),
            let role = try? Role(wire, statedAtMilliseconds: 0)
        {
            try require(!Role.builtIn.contains { $0.name == role.name }, "a built-in role is defined")
            try require(try Role(role.wire, statedAtMilliseconds: 0) == role, "a role is not read as it was written")
            roles.append(role)
        }
        let (rights, reversed) = (Rights(grants: grants, roles: roles), Rights(grants: grants.reversed(), roles: roles))
        for cell in ["A", "B", "C", ""] {
            for channel in ["org", "plan/1", "plan/2", "p", "x"] {
                let role = rights.role(of: cell, in: channel)
                try require(role == reversed.role(of: cell, in: channel), "a role depends on the order of arrival")
                try require(!role.writes || role.reads, "who writes does not read")
                try require(!cell.isEmpty || role == .writer, "the centre itself has lost its rights")
            }
        }
    }

    static func seeds() throws -> [[UInt8]] {
        let ruling = Ruling(struck: ChangeSet([0, 1, 5]), code: "notGranted", message: "no")
        let role = Role(name: "some", rights: ["note": .update, "*": .all])
        return [
            [0] + (try ruling.encoded), [1, 3, 1, 2, 9, 4, 3, 5, 2, 1, 1, 8, 5],
            [2, 3, 1, 0, 1, 1, 1, 0, 1, 2, 1, 3, 1, 3, 1, 0, 1, 2, 1, 1] + role.encoded,
        ]
    }
}
