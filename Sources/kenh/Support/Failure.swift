import Foundation
import KenhCell
import KenhHTTP
import KenhHub
import KenhProtocol
import KenhSettings
import KenhStore

/// Exit codes, after sysexits.h where it has one that fits. `kenh --help` and README.md document them.
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
        self.message = Self.oneLine(message)
    }

    init(_ error: any Error) {
        switch error {
        case let error as Failure: self = error
        case let error as SettingsError: self.init(.configuration, error.message)
        case let error as StoreError: self.init(Self.exit(error.code), Self.text(error))
        case let error as CellError: self.init(Self.exit(error.code), error.message)
        case let error as ProtocolError: self.init(error.code == .badCode ? .badData : .refused, error.message)
        case let error as HubError: self.init(Self.exit(error.code), error.message)
        // A call that failed is a CellError; what comes up before any call is an address that cannot be read.
        case let error as TransportError: self.init(.configuration, error.message)
        case let error as ServerError:
            self.init(error.code == .badCertificate ? .configuration : .unavailable, error.message)
        case let error as CocoaError:
            self.init(.disk, "\(error.localizedDescription); check the folder's permissions and the disk's free space")
        default: self.init(.failure, "\(error)")
        }
    }

    private static func exit(_ code: StoreError.Code) -> Exit {
        switch code {
        case .notFound: .noInput
        case .busy, .keyReplaced, .unusableSnapshot: .tryAgain
        case .diskFull, .readOnly, .io, .notDurable: .disk
        case .schema: .configuration
        case .notADatabase, .notAStore, .newerVersion, .corrupt, .refusedValue, .notErasable, .malformedBlock,
            .brokenChain, .badSignature:
            .badData
        }
    }

    private static func text(_ error: StoreError) -> String {
        guard error.advice.isEmpty else { return "\(error)" }
        switch error.code {
        case .malformedBlock, .brokenChain, .badSignature, .corrupt:
            return "\(error.message); the store may be damaged: run kenh verify, and restore a backup if it says so"
        case .io, .readOnly: return "\(error.message); check the disk and the folder's permissions"
        default: return error.message
        }
    }

    private static func exit(_ code: CellError.Code) -> Exit {
        switch code {
        case .unreachable: .unavailable
        case .rateLimited, .centreFailed: .tryAgain
        case .refused, .notTheCentre, .diverged: .refused
        case .contradicted: .findings
        case .notJoined: .configuration
        }
    }

    private static func exit(_ code: HubError.Code) -> Exit {
        switch code {
        case .cellUnknown, .deviceUnknown, .roleUnknown: .noInput
        case .cellExists, .badCellCode, .badChannel, .badRole, .badReason: .badData
        case .logMismatch, .blobOffset, .uploadQuota: .refused
        case .keyReplaced: .configuration
        case .notInitialised, .alreadyInitialised: .configuration
        case .unavailable, .diskFull: .disk
        }
    }

    static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }.joined(separator: " ")
    }
}
