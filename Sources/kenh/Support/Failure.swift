import ArgumentParser
import Foundation
import KenhCell
import KenhHub
import KenhProtocol
import KenhStore

/// Exit codes, after sysexits.h where it has one that fits. README.md documents them.
enum Exit: Int32 {
    case failure = 1
    /// Something was found that needs a person: conflicts, damage, unequal digests.
    case findings = 3
    case usage = 64
    case badData = 65
    case noInput = 66
    case unavailable = 69
    case disk = 74
    case tryAgain = 75
    case refused = 77
    case configuration = 78
}

/// An error as a person sees it: one line that says what happened and what to do next.
struct Failure: Error {
    let exit: Exit
    let message: String

    init(_ exit: Exit, _ message: String) {
        self.exit = exit
        self.message = message
    }

    init(_ error: any Error) {
        switch error {
        case let error as Failure: self = error
        case let error as StoreError: self.init(Self.exit(error.code), "\(error)")
        case let error as CellError: self.init(Self.exit(error.code), error.message)
        case let error as ProtocolError: self.init(.refused, error.message)
        case let error as HubError: self.init(.badData, error.message)
        case let error as TransportError: self.init(.unavailable, error.message)
        default: self.init(.failure, Self.oneLine("\(error)"))
        }
    }

    private static func exit(_ code: StoreError.Code) -> Exit {
        switch code {
        case .notFound: .noInput
        case .busy: .tryAgain
        case .diskFull, .readOnly, .io, .notDurable: .disk
        case .schema: .configuration
        case .notADatabase, .notAStore, .newerVersion, .corrupt, .refusedValue, .malformedBlock, .brokenChain,
            .badSignature:
            .badData
        }
    }

    private static func exit(_ code: CellError.Code) -> Exit {
        switch code {
        case .unreachable: .unavailable
        case .rateLimited: .tryAgain
        case .refused, .notTheCentre, .diverged: .refused
        case .notJoined: .configuration
        }
    }

    private static func oneLine(_ text: String) -> String { text.split(separator: "\n").joined(separator: " ") }
}
