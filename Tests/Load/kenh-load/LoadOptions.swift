/// What is asked for at the command line.
struct LoadOptions {
    var cells = 1000
    var changes = 50
    /// Connections at a time.
    var connections = 64
    /// Of the process that is the centre.
    var servedFolder: String?

    struct Usage: Error {
        let message: String
    }

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else { throw Self.usage }
            switch name {
            case "--cells": cells = try Self.number(value, 1...100_000)
            case "--changes": changes = try Self.number(value, 1...10_000)
            case "--connections": connections = try Self.number(value, 1...1000)
            case "--serve": servedFolder = value
            default: throw Self.usage
            }
        }
    }

    private static func number(_ text: String, _ range: ClosedRange<Int>) throws -> Int {
        guard let number = Int(text), range.contains(number) else { throw usage }
        return number
    }

    private static let usage = Usage(message: "usage: kenh-load [--cells N] [--changes N] [--connections N]")
}
