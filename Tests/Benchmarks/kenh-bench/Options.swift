/// The command line.
struct Options {
    var rows = 100_000
    var runs = 5
    var only: Set<Step> = Set(Step.allCases)
    var jsonPath = ".build/bench.json"
    /// Where the databases are made; nil for the system's temporary folder.
    var folder: String?
    var showsHelp = false
    /// The step of which instructions are counted.
    var profiled: Step?

    static let help = """
        kenh-bench: workload ITEM-1, all steps interleaved in each run

          --rows N       rows of the base (100000)
          --runs N       runs; medians are over them (5)
          --only STEPS   L0, L1, L2, E1, E2, A1, A2, A3, C1, S, X, W, session, by comma; what a step needs runs, too
          --profile STEP the step that callgrind counts, see make profile
          --json PATH    figures as JSON (.build/bench.json); - for none
          --folder PATH  where the databases are made (the temporary folder)
          --help         this text
        """

    struct Mistake: Error, CustomStringConvertible {
        let description: String
    }

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            if name == "--help" || name == "-h" {
                showsHelp = true
                continue
            }
            guard let value = rest.popFirst() else { throw Mistake(description: "\(name) needs a value; see --help") }
            try set(name, value)
        }
    }

    private mutating func set(_ name: String, _ value: String) throws {
        switch name {
        case "--rows": rows = try Self.number(name, value)
        case "--runs": runs = try Self.number(name, value)
        case "--only": only = try Self.steps(value)
        case "--profile":
            guard let step = Step.allCases.first(where: { $0.rawValue.lowercased() == value.lowercased() }) else {
                throw Mistake(description: "there is no step \(value); see --help")
            }
            profiled = step
        case "--json": jsonPath = value
        case "--folder": folder = value
        default: throw Mistake(description: "there is no option \(name); see --help")
        }
    }

    private static func number(_ name: String, _ value: String) throws -> Int {
        guard let number = Int(value), (1...10_000_000).contains(number) else {
            throw Mistake(description: "\(name) takes a number from 1 to 10000000, not \(value)")
        }
        return number
    }

    private static func steps(_ list: String) throws -> Set<Step> {
        var chosen: Set<Step> = []
        for name in list.split(separator: ",") {
            let found = Step.allCases.filter { $0.group.lowercased() == name.lowercased() }
            guard !found.isEmpty else { throw Mistake(description: "there is no step \(name); see --help") }
            chosen.formUnion(found)
        }
        return chosen
    }
}
