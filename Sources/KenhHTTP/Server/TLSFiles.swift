import Foundation
import HummingbirdTLS
import NIOSSL

/// The certificate and the private key with which a centre speaks HTTPS by itself, without a proxy before it.
public struct TLSFiles: Sendable {
    /// PEM: the centre's own certificate first, then those between it and an authority that the cells trust.
    public let certificatePath: String
    /// PEM, without a passphrase.
    public let keyPath: String

    public init(certificatePath: String, keyPath: String) {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
    }

    /// TLS 1.2 or newer.
    ///
    /// - Parameter now: certificates that are over, or begin later, are refused, since every cell would refuse them.
    /// - Throws: ``ServerError`` with code `badCertificate`.
    func configuration(now: Date) throws(ServerError) -> TLSConfiguration {
        let chain = try certificates()
        guard let own = chain.first else { throw Self.noCertificate(certificatePath) }
        try check(own, now)
        let key: NIOSSLPrivateKey
        do { key = try NIOSSLPrivateKey(file: keyPath, format: .pem) } catch {
            throw ServerError(
                .badCertificate,
                "\(keyPath) has no private key in PEM that can be read without a passphrase; check --tls-key")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        // Made once here, so that what does not fit is said before the first cell calls.
        do { _ = try NIOSSLContext(configuration: configuration) } catch {
            throw ServerError(
                .badCertificate,
                "the key in \(keyPath) does not belong to the certificate in \(certificatePath); give those of one pair"
            )
        }
        return configuration
    }

    private func certificates() throws(ServerError) -> [NIOSSLCertificate] {
        do { return try NIOSSLCertificate.fromPEMFile(certificatePath) } catch {
            throw Self.noCertificate(certificatePath)
        }
    }

    private func check(_ certificate: NIOSSLCertificate, _ now: Date) throws(ServerError) {
        let begins = Date(timeIntervalSince1970: Double(certificate.notValidBefore))
        let ends = Date(timeIntervalSince1970: Double(certificate.notValidAfter))
        guard now < ends else {
            throw ServerError(
                .badCertificate,
                "the certificate in \(certificatePath) is over since \(ends.formatted(.iso8601)); renew it, then start again"
            )
        }
        guard begins <= now else {
            throw ServerError(
                .badCertificate,
                "the certificate in \(certificatePath) begins on \(begins.formatted(.iso8601)); check this machine's clock"
            )
        }
    }

    private static func noCertificate(_ path: String) -> ServerError {
        ServerError(.badCertificate, "\(path) has no certificate in PEM that can be read; check --tls-certificate")
    }
}
