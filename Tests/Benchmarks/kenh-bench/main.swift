import Foundation

let options: Options
do { options = try Options(Array(CommandLine.arguments.dropFirst())) } catch {
    FileHandle.standardError.write(Data("kenh-bench: \(error)\n".utf8))
    exit(2)
}
guard !options.showsHelp else {
    print(Options.help)
    exit(0)
}
guard ItemWorkload.isAsPublished() else {
    FileHandle.standardError.write(Data("kenh-bench: row 0 is not that of ITEM-1\n".utf8))
    exit(1)
}

let versions = (0...2).map { ItemRows(count: options.rows, version: UInt64($0)) }
var runs: [[Sample]] = []
for number in 1...options.runs {
    let parent = options.folder ?? FileManager.default.temporaryDirectory.path
    let folder = "\(parent)/kenh-bench-\(ProcessInfo.processInfo.processIdentifier)-\(number)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let round = Round(
        base: versions[0], updates: versions[1], edits: versions[2], folder: folder,
        profiled: options.profiled)
    try round.run(options.only)
    runs.append(round.samples)
}

let report = Report(rows: options.rows, runs: runs, only: options.only)
print(report.table)
if options.jsonPath != "-" { try report.write(to: options.jsonPath) }
