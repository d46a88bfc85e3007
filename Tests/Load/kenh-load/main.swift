import Foundation

// kenh-load: a centre in a process of its own, and many cells that come back after an outage, all at once.

do {
    let options = try LoadOptions(Array(CommandLine.arguments.dropFirst()))
    if let folder = options.servedFolder {
        try await LoadCentre(folder: folder, cells: options.cells).serve()
    } else {
        exit(try LoadRun(options: options).run() ? 0 : 3)
    }
} catch let error as LoadOptions.Usage {
    FileHandle.standardError.write(Data("\(error.message)\n".utf8))
    exit(64)
}
