import KenhProtocol
import KenhStore

/// Why a transfer failed, as far as it matters to what is done next.
public struct TransferFailure: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// The same may succeed later.
        case later
        /// The centre was not reached, or asks to wait: others would fail, too.
        case line
        /// A person has to change something first, here or at the centre.
        case person
        /// The program is to end.
        case stopped
    }

    public let kind: Kind
    /// One sentence for people.
    public let message: String
    public let retryAfterSeconds: Int?

    public init(_ kind: Kind, _ message: String, retryAfterSeconds: Int? = nil) {
        self.kind = kind
        self.message = message
        self.retryAfterSeconds = retryAfterSeconds
    }

    public init(_ error: any Error) {
        switch error {
        case let error as CellError where error.code == .unreachable || error.code == .rateLimited:
            self.init(.line, error.message, retryAfterSeconds: error.retryAfterSeconds)
        case let error as CellError:
            let waits = error.recovery == .retry || error.recovery == .resync
            self.init(waits ? .later : .person, error.message, retryAfterSeconds: error.retryAfterSeconds)
        case let error as ProtocolError: self.init(error.recovery == .retry ? .later : .person, error.message)
        case let error as StoreError: self.init(.later, "\(error)")
        default: self.init(.later, "\(error)")
        }
    }
}
