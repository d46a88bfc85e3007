import Foundation
import KenhFuzzing

/// libFuzzer's side. Its own main calls these two; the environment says which target runs.
private let target: FuzzTarget = {
    let name = ProcessInfo.processInfo.environment["KENH_FUZZ_TARGET"] ?? ""
    guard let target = FuzzTarget.named(name) else {
        fatalError("set KENH_FUZZ_TARGET to one of \(FuzzTarget.all.map(\.name).joined(separator: ", "))")
    }
    return target
}()

/// Writes the target's own seeds into the folder `KENH_FUZZ_SEEDS`, where that is set.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer, _ arguments: UnsafeMutableRawPointer) -> CInt {
    guard let folder = ProcessInfo.processInfo.environment["KENH_FUZZ_SEEDS"] else { return 0 }
    do {
        for (number, seed) in try target.seeds().enumerated() {
            try Data(seed).write(to: URL(filePath: folder).appending(path: "seed-\(number)"))
        }
    } catch { fatalError("the seeds cannot be written: \(error)") }
    return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    do { try target.run(Array(UnsafeBufferPointer(start: start, count: count))) } catch {
        fatalError("\(target.name): \(error)")
    }
    return 0
}
