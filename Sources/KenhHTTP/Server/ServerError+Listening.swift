import Foundation
import NIOCore

extension ServerError {
    /// What kept the server from taking connections.
    init(_ error: any Error, host: String, port: Int) {
        switch error {
        case let error as IOError where error.errnoCode == EADDRINUSE:
            self.init(.addressInUse, "port \(port) on \(host) is in use; choose another with --port", recovery: .retry)
        case let error as IOError where error.errnoCode == EADDRNOTAVAIL:
            self.init(.hostUnknown, "\(host) is no address of this machine; give one that is, or 0.0.0.0, with --host")
        case let error as IOError where error.errnoCode == EACCES || error.errnoCode == EPERM:
            self.init(.notPermitted, "port \(port) may not be opened by this user; choose one above 1023 with --port")
        case is SocketAddressError, is SocketAddressError.UnknownHost:
            self.init(.hostUnknown, "the host \(host) is not known; give an address of this machine with --host")
        default: self.init(.failed, "the centre cannot serve on \(host), port \(port): \(error)")
        }
    }
}
