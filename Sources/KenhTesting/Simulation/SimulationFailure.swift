/// A law that a simulation found broken, in words.
public struct SimulationFailure: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
