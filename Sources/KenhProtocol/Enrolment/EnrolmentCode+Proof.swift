import Crypto
import KenhMerge

extension EnrolmentCode {
    private static let proofTag = Array("kenh-v1 enrolment proof".utf8) + [0]

    /// Shows that the device holds the code, without sending it: HMAC-SHA256 under the secret over tag, zero byte,
    /// fingerprint, device key and replica.
    ///
    /// - Parameter organisation: the fingerprint of the root key that the code ``pins(rootKey:)``.
    /// - Returns: 32 bytes.
    public func proof(organisation: Hash256, deviceKey: PublicKey, replica: ReplicaID) -> [UInt8] {
        Array(
            HMAC<SHA256>.authenticationCode(
                for: Self.proven(organisation, deviceKey, replica), using: SymmetricKey(data: secret)))
    }

    /// Takes the same time whichever byte is wrong.
    public func isProofGood(
        _ proof: [UInt8], organisation: Hash256, deviceKey: PublicKey, replica: ReplicaID
    ) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(
            proof, authenticating: Self.proven(organisation, deviceKey, replica), using: SymmetricKey(data: secret))
    }

    /// Of one length always, so the parts cannot be shifted against each other.
    private static func proven(_ organisation: Hash256, _ deviceKey: PublicKey, _ replica: ReplicaID) -> [UInt8] {
        proofTag + organisation.bytes + deviceKey.bytes + replica.bytes
    }
}
