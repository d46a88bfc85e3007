import Testing

@Suite struct ImportTests {
    private let repository = Repository()

    @Test("No target imports what the table in CONTRIBUTING.md does not allow it")
    func imports() throws {
        let checker = ImportChecker(table: try repository.targetTable())
        for target in try repository.targets() {
            let violations = checker.violations(in: try repository.files(of: target))
            #expect(violations.isEmpty, "\(violations.joined(separator: "\n"))")
        }
    }

    @Test("The table names every folder of Sources, and nothing else")
    func complete() throws {
        let table = try repository.targetTable()
        #expect(Set(try repository.targets()) == table.targets)
        #expect(table.targets.contains("KenhMerge"), "the table was found")
    }

    @Test("No targets import each other in a circle")
    func noCycle() throws {
        let files = try repository.targets().flatMap(repository.files)
        #expect(files.count > 10)
        #expect(ImportChecker.cycle(in: files) == [])
    }

    @Test("The table itself allows no circle")
    func noAllowedCycle() throws {
        let table = try repository.targetTable()
        let files = table.allowed.map { target, allowed in
            SourceFile(target: target, path: target, text: allowed.map { "import \($0)\n" }.joined())
        }
        #expect(ImportChecker.cycle(in: files) == [])
    }
}

@Suite struct ImportCheckerTests {
    private let checker = ImportChecker(
        table: TargetTable(
            markdown: """
                ## Targets

                | target | responsibility | may import |
                |---|---|---|
                | `Low` | the bottom | nothing |
                | `Middle` | between | `Low`, `Outside` |
                | `top` | all | everything but `Tests`; `Arguments` |
                | `Tests` | tests | everything but `top` |

                ## Other

                | `Ignored` | not a target | nothing |
                """))

    private func violations(_ text: String, in target: String = "Low") -> [String] {
        checker.violations(in: [SourceFile(target: target, path: "File.swift", text: text)])
    }

    @Test("A planted import that is not allowed is found")
    func planted() {
        #expect(violations("import Foundation\nimport Middle\n") == ["File.swift imports Middle, which Low may not"])
        #expect(violations("import Low\nimport Tests\n", in: "Middle").count == 1)
        #expect(violations("import Tests", in: "top").count == 1)
        #expect(violations("import Outside", in: "Unknown").count == 1)
    }

    @Test(
        "It is found however it is written",
        arguments: [
            "@testable import Middle", "public import Middle", "@_exported import Middle", "import struct Middle.Type",
            "import Middle.Sub", "  import Middle // why", "let a = 1; import Middle",
            "#if DEBUG\n\timport Middle\n#endif",
            "@preconcurrency\nimport Middle", "import `Middle`", "/* a */ import Middle",
            "import Swift\r\nimport Middle\r\n",
            "@_spi(Testing) internal import Middle", "let a = \"text/*\"\nimport Middle",
            "let a = \"\\\"/*\"\nimport Middle",
        ])
    func spellings(text: String) {
        #expect(violations(text).count == 1)
    }

    @Test(
        "What only looks like an import is none",
        arguments: [
            "// import Middle", "/* import Middle\n /* import Middle */\nimport Middle */", "let important = 1",
            "let a = \"; import Middle\"",
        ])
    func lookalikes(text: String) {
        #expect(violations(text).isEmpty)
    }

    @Test("What the table allows passes, and so do standard modules and the target itself")
    func allowed() {
        #expect(violations("import Low\nimport Outside\nimport Synchronization", in: "Middle").isEmpty)
        #expect(violations("import Middle\nimport Outside\nimport Arguments", in: "top").isEmpty)
        #expect(violations("import Middle\nimport Tests", in: "Tests").isEmpty)
        #expect(violations("import Low").isEmpty)
    }

    @Test("The table ends with its section")
    func section() {
        #expect(checker.table.targets == ["Low", "Middle", "top", "Tests"])
        #expect(TargetTable(markdown: "# Nothing here").targets.isEmpty)
    }

    @Test("A planted circle is found and named")
    func circle() {
        let files = [("A", "import B"), ("B", "import C\nimport D"), ("C", "import A"), ("D", "")].map {
            SourceFile(target: $0, path: $0, text: $1)
        }
        #expect(ImportChecker.cycle(in: files) == ["A", "B", "C", "A"])
        #expect(ImportChecker.cycle(in: Array(files[1...])) == [])
    }
}
