import Foundation

/// A plain connection to a server on this machine, for tests that speak their own HTTP.
public enum LoopbackLine {
    public struct Failure: Error, CustomStringConvertible { public let description: String }

    /// - Returns: the socket, which is the caller's to close.
    public static func connected(_ port: Int) throws -> Int32 {
        #if canImport(Glibc)
            let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let handle = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(clamping: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(handle, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard handle >= 0, isConnected else {
            let failure = Failure(description: "no connection: \(String(cString: strerror(errno)))")
            if handle >= 0 { close(handle) }
            throw failure
        }
        return handle
    }
}
