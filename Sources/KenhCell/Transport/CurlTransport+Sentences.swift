import CCurl

/// What happened, for people, and what to do next.
extension CurlTransport {
    func sentence(_ kind: TransportError.Code, _ detail: String) -> String {
        let centre = address.forPeople
        switch kind {
        case .invalidURL:
            return "\(centre) is not an address that can be called (\(detail)); check the centre's address"
        case .nameNotFound:
            return "cannot reach \(centre): the name \(address.host) is not known; check the network and the address"
        case .refused:
            return "cannot reach \(centre): connection refused; is the centre running (kenh central serve)?"
        case .unreachable:
            return "cannot reach \(centre) (\(detail)); check the network and the address"
        case .timedOut:
            return "\(centre) did not answer in time (\(detail)); check the network, or try again later"
        case .proxy:
            let proxy = proxyForPeople.map { "the proxy \($0)" } ?? "the proxy"
            return
                "cannot reach \(centre) through \(proxy) (\(detail)); check the proxy's address and that it is running"
        case .cutShort:
            return "the connection to \(centre) broke before the whole reply was there (\(detail)); try again"
        case .unsupported:
            return "cannot talk to \(centre) (\(detail)); check that the address is the centre's and speaks HTTP"
        case .tls, .cancelled, .tooLarge, .other:
            return "the exchange with \(centre) failed (\(detail)); try again, and report it if it stays"
        }
    }

    func tlsFailure(_ code: CURLcode, _ detail: String) -> TransportError {
        let centre = address.forPeople
        switch code {
        case CURLE_SSL_CONNECT_ERROR:
            // Also what a connection cut during the handshake looks like, which passes by itself.
            return TransportError(
                .tls, "no secure connection to \(centre) (\(detail)); check that this port speaks HTTPS",
                recovery: .retry)
        case CURLE_SSL_CACERT_BADFILE:
            let file = options.caBundlePath ?? "the system's"
            return TransportError(.tls, "cannot read the certificate authorities (\(file)); check that file")
        default:
            return TransportError(
                .tls,
                "\(centre) does not prove who it is (\(detail)); check this computer's clock, the centre's certificate "
                    + "and the authorities trusted here")
        }
    }

    func tooLarge(_ exchange: CurlExchange) -> TransportError {
        let isHead = exchange.head.totalBytes > ReplyHead.limitBytes
        let what = isHead ? "the reply's headers are" : "the reply is"
        let limit = isHead ? ReplyHead.limitBytes : exchange.bodyLimitBytes
        return TransportError(
            .tooLarge,
            "\(what) larger than \(limit) bytes; check that \(address.forPeople) is the centre's address, and that it "
                + "runs a version that fits this one")
    }
}
