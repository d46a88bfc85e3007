/// What went wrong in a store, and what to do next.
public struct StoreError: Error, Sendable {
    public enum Code: String, Sendable {
        case schema, notADatabase, notAStore, newerVersion, busy, diskFull, readOnly, corrupt, notDurable, refusedValue,
            notFound, io, keyReplaced, notErasable, malformedBlock, brokenChain, badSignature,
            /// The base of ``StoreError/channel`` cannot be used: the channel has to begin with its first block.
            unusableSnapshot
    }

    public enum Recovery: String, Sendable { case retry, resync, stop, askAPerson }

    public let code: Code
    public let message: String
    /// What to do next, for people.
    public let advice: String
    public let recovery: Recovery
    /// That it is about; nil of most.
    public let channel: String?

    public init(
        _ code: Code, _ message: String, advice: String = "", recovery: Recovery = .stop, channel: String? = nil
    ) {
        self.channel = channel
        self.code = code
        self.message = message
        self.advice = advice
        self.recovery = recovery
    }
}

extension StoreError: Equatable {
    public static func == (a: StoreError, b: StoreError) -> Bool { a.code == b.code }
}

extension StoreError: CustomStringConvertible {
    public var description: String { advice.isEmpty ? message : "\(message); \(advice)" }
}
