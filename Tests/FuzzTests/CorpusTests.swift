import Foundation
import KenhFuzzing
import Testing

/// What libFuzzer found worth keeping, and what once crashed, run without it.
@Suite struct CorpusTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Corpus")

    private static func files(_ target: String) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(
            at: folder.appending(path: target), includingPropertiesForKeys: nil, options: .skipsHiddenFiles
        ).sorted { $0.path < $1.path }
    }

    @Test("Every target takes its own seeds", arguments: FuzzTarget.all.map(\.name))
    func seeds(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let seeds = try target.seeds()
        #expect(!seeds.isEmpty)
        for seed in seeds { try target.run(seed) }
    }

    @Test(
        "Every input of the corpus is taken without a trap and without a finding", arguments: FuzzTarget.all.map(\.name)
    )
    func corpus(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let files = try Self.files(name)
        #expect(!files.isEmpty)
        for file in files {
            do { try target.run(Array(try Data(contentsOf: file))) } catch {
                Issue.record("\(name)/\(file.lastPathComponent): \(error)")
            }
        }
    }

    @Test("Every folder of the corpus belongs to a target")
    func folders() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(Set(folders) == Set(FuzzTarget.all.map(\.name)))
    }
}
