/// A setting that a person has to correct. The code is the same for all: `message` names the setting and what it may be.
public struct SettingsError: Error, Sendable, Equatable {
    public let message: String

    init(_ message: String) { self.message = message }
}

extension SettingsError: CustomStringConvertible {
    public var description: String { message }
}
