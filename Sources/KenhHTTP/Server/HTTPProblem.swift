import HTTPTypes
import Hummingbird
import KenhHub
import KenhProtocol

/// The one place where errors become statuses.
struct HTTPProblem {
    let status: HTTPResponse.Status
    let wire: WireProblem

    init(_ error: any Error, time: Int64) {
        var wire = WireProblem()
        wire.timeMs = time
        switch error {
        case let error as ProtocolError:
            (wire.code, wire.message, wire.recovery) = (error.code.rawValue, error.message, error.recovery.rawValue)
            status = Self.status(error.code)
        case let error as HubError:
            (wire.code, wire.message, wire.recovery) = (error.code.rawValue, error.message, error.recovery.rawValue)
            if let blob = error.blob { wire.blob = blob }
            status = Self.status(error.code)
        case let error as TooBusy:
            (wire.code, wire.message) = (HubError.Code.unavailable.rawValue, error.message)
            wire.recovery = ProtocolError.Recovery.retry.rawValue
            status = .serviceUnavailable
        default:
            (wire.code, wire.recovery) = ("internal", ProtocolError.Recovery.retry.rawValue)
            wire.message = "the centre failed; try again later"
            status = .internalServerError
        }
        self.wire = wire
    }

    private static func status(_ code: HubError.Code) -> HTTPResponse.Status {
        switch code {
        case .logMismatch, .blobOffset: .conflict
        case .unavailable, .keyReplaced: .serviceUnavailable
        case .diskFull, .uploadQuota: HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage")
        case .cellExists, .cellUnknown, .badCellCode, .deviceUnknown, .badChannel, .badRole, .roleUnknown,
            .badReason, .notInitialised, .alreadyInitialised:
            .badRequest
        }
    }

    private static func status(_ code: ProtocolError.Code) -> HTTPResponse.Status {
        switch code {
        case .tooLarge: .contentTooLarge
        case .typeNotAllowed: .unsupportedMediaType
        case .badSignature, .staleRequest: .unauthorized
        case .unknownDevice, .wrongOrganisation, .codeUnknown, .codeUsed, .codeExpired, .forbidden, .revoked:
            .forbidden
        case .unsupportedVersion: .upgradeRequired
        case .notFound: .notFound
        case .malformed, .brokenLink, .badCode, .badKey, .badDigest, .compression: .badRequest
        }
    }
}
