/// A place where bytes from the wire, the disk or people come in, and what has to hold whatever they are.
///
/// The same function is run by libFuzzer on bytes that it makes up, and by the tests on the corpus that it found.
public struct FuzzTarget: Sendable {
    public let name: String
    /// Inputs that get past the first checks, to begin with.
    public let seeds: @Sendable () throws -> [[UInt8]]
    private let body: @Sendable ([UInt8]) throws -> Void

    init(
        _ name: String, seeds: @escaping @Sendable () throws -> [[UInt8]],
        _ body: @escaping @Sendable ([UInt8]) throws -> Void
    ) {
        self.name = name
        self.seeds = seeds
        self.body = body
    }

    /// - Throws: ``FuzzFinding`` where a property does not hold; any other error is one that nobody was to see.
    public func run(_ bytes: [UInt8]) throws { try body(bytes) }

    public static let all: [FuzzTarget] = [
        .archive, .blob, .block, .centre, .erasure, .eventStream, .finality, .log, .merge, .rights, .rowState, .schema,
        .settings, .signature, .snapshot, .store, .sync,
    ]

    public static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}
