/// Compares what files import with what the table allows.
struct ImportChecker {
    static let standard: Set<String> = [
        "Swift", "Foundation", "FoundationEssentials", "Synchronization", "Dispatch", "Glibc", "Darwin",
    ]

    let table: TargetTable

    /// One sentence for each import that is not allowed.
    func violations(in files: [SourceFile]) -> [String] {
        files.flatMap { file in
            let allowed = Self.standard.union(table.allowed[file.target] ?? []).union([file.target])
            return file.imports.subtracting(allowed).sorted().map {
                "\(file.path) imports \($0), which \(file.target) may not"
            }
        }
    }

    /// Targets that import each other in a circle, in the order of the circle; empty where there is none.
    static func cycle(in files: [SourceFile]) -> [String] {
        let targets = Set(files.map(\.target))
        let imports = files.reduce(into: [String: Set<String>]()) { graph, file in
            graph[file.target, default: []].formUnion(file.imports.intersection(targets).subtracting([file.target]))
        }
        var finished: Set<String> = []
        for target in targets.sorted() {
            let found = cycle(from: target, path: [], imports, &finished)
            if !found.isEmpty { return found }
        }
        return []
    }

    private static func cycle(
        from target: String, path: [String], _ imports: [String: Set<String>], _ finished: inout Set<String>
    ) -> [String] {
        if let start = path.firstIndex(of: target) { return path[start...] + [target] }
        guard !finished.contains(target) else { return [] }
        for next in (imports[target] ?? []).sorted() {
            let found = cycle(from: next, path: path + [target], imports, &finished)
            if !found.isEmpty { return found }
        }
        finished.insert(target)
        return []
    }
}
