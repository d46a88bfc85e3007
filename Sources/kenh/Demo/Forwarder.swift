import Foundation
import Synchronization

/// A line between a cell and the centre that can be cut: a TCP forwarder on loopback.
final class Forwarder: Sendable {
    let port: UInt16
    private let target: UInt16
    private let listener: Int32
    private struct State {
        var isOpen = true
        var isStopped = false
        var sockets: Set<Int32> = []
    }
    private let state = Mutex(State())

    /// - Parameter port: 0 takes a free one.
    init(port: UInt16 = 0, to target: UInt16) throws {
        self.target = target
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var on: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = Self.loopback(port)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard listener >= 0, isBound else {
            close(listener)
            throw Failure(.unavailable, "no port on loopback can be opened for the demo")
        }
        self.listener = listener
        self.port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [self] in acceptAll() }
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    /// Ends what is under way and lets nothing through until ``restore()``.
    func cut() { shutAll { $0.isOpen = false } }

    func restore() { state.withLock { $0.isOpen = true } }

    func stop() {
        shutAll { $0.isStopped = true }
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private func shutAll(_ change: (inout State) -> Void) {
        state.withLock { state in
            change(&state)
            for socket in state.sockets { shutdown(socket, Int32(SHUT_RDWR)) }
        }
    }

    private func acceptAll() {
        while true {
            let client = accept(listener, nil, nil)
            if client < 0 {
                if state.withLock({ $0.isStopped }) || errno != EINTR { return }
                continue
            }
            guard state.withLock({ $0.isOpen }) else {
                close(client)
                continue
            }
            Thread.detachNewThread { [self] in forward(client) }
        }
    }

    private func forward(_ client: Int32) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(target)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        let isOpen = state.withLock { state in
            state.sockets.formUnion([client, server])
            return state.isOpen && !state.isStopped
        }
        if isConnected, isOpen {
            let done = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                Self.copy(server, client)
                done.signal()
            }
            Self.copy(client, server)
            done.wait()
        }
        state.withLock { $0.sockets.subtract([client, server]) }
        close(client)
        close(server)
    }

    private static func copy(_ from: Int32, _ to: Int32) {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(from, &buffer, buffer.count)
            guard count > 0, sendAll(buffer[..<count], to) else { break }
        }
        shutdown(to, Int32(SHUT_WR))
        shutdown(from, Int32(SHUT_RD))
    }

    private static func sendAll(_ bytes: ArraySlice<UInt8>, _ to: Int32) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var sent = 0
            while sent < buffer.count {
                let count = send(to, buffer.baseAddress! + sent, buffer.count - sent, Int32(MSG_NOSIGNAL))
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
    }
}
