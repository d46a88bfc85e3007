import Foundation
import Synchronization

/// A line between a cell and its centre: a TCP forwarder on loopback that counts bytes and can do harm at one of them.
final class Line: Sendable {
    enum Direction: Sendable { case up, down }

    enum Deed: Sendable {
        /// Passes what comes before that byte, then ends the connection and takes no other.
        case cut
        /// Changes bits of that byte and passes all the rest.
        case flip(UInt8)
        /// Does something just before that byte is passed.
        case run(@Sendable () -> Void)
        /// From that byte on passes nothing; ends the connection once a whole HTTP message was kept back.
        case keepBack
    }

    struct Fault: Sendable {
        let direction: Direction
        /// Counts the bytes of one connection in that direction, from 0.
        let offset: Int
        let deed: Deed
    }

    private struct State {
        var target: UInt16
        var fault: Fault?
        var hasFired = false
        var isDown = false
        var isStopped = false
        var sockets: Set<Int32> = []
        var passed: [Direction: [UInt8]] = [:]
    }

    let port: UInt16
    private let listener: Int32
    private let state: Mutex<State>

    init(to target: UInt16) throws {
        (listener, port) = try Loopback.listen()
        state = Mutex(State(target: target))
        Thread.detachNewThread { [self] in acceptAll() }
    }

    var url: String { "http://127.0.0.1:\(port)" }

    func retarget(_ port: UInt16) { state.withLock { $0.target = port } }

    /// Arms one fault, which strikes once, on whichever connection first reaches it.
    func arm(_ direction: Direction, at offset: Int, _ deed: Deed) {
        state.withLock { state in
            state.fault = Fault(direction: direction, offset: offset, deed: deed)
            state.hasFired = false
        }
    }

    /// Puts the line in order again.
    ///
    /// - Returns: whether the fault has struck.
    @discardableResult
    func disarm() -> Bool {
        state.withLock { state in
            (state.fault, state.isDown) = (nil, false)
            return state.hasFired
        }
    }

    /// The bytes of the newest connection, as they came in.
    func passed(_ direction: Direction) -> [UInt8] { state.withLock { $0.passed[direction] ?? [] } }

    /// Ends what is under way.
    func cut() { state.withLock { state in for socket in state.sockets { Loopback.end(socket) } } }

    func stop() {
        state.withLock { $0.isStopped = true }
        Loopback.end(listener)
        cut()
    }

    // MARK: connections

    private func acceptAll() {
        while true {
            let client = Loopback.accept(listener)
            if state.withLock({ $0.isStopped }) { break }
            guard client >= 0 else { continue }
            Thread.detachNewThread { [self] in forward(client) }
        }
        close(listener)
    }

    private func forward(_ client: Int32) {
        defer { close(client) }
        let target: UInt16? = state.withLock { state in
            guard !state.isDown else { return nil }
            state.passed = [:]
            return state.target
        }
        guard let target, let server = Loopback.connect(target) else { return }
        state.withLock { $0.sockets.formUnion([client, server]) }
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [self] in
            pump(.down, from: server, to: client)
            done.signal()
        }
        pump(.up, from: client, to: server)
        done.wait()
        state.withLock { $0.sockets.subtract([client, server]) }
        close(server)
    }

    private func pump(_ direction: Direction, from: Int32, to: Int32) {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var place = 0
        while true {
            let count = read(from, &buffer, buffer.count)
            guard count > 0 else { break }
            let step = treat(&buffer, count, direction, place)
            step.before?()
            guard Loopback.send(buffer[..<step.pass], to) else { break }
            if step.isEnd {
                Loopback.end(from)
                break
            }
            place += count
        }
        // Half closed, so that an answer under way still arrives, unless the line was cut.
        shutdown(to, Int32(SHUT_WR))
        if state.withLock({ $0.isStopped }) { Loopback.end(from) }
    }

    private struct Step {
        var pass: Int
        var isEnd = false
        var before: (@Sendable () -> Void)?
    }

    /// Decides what happens to the bytes just read.
    private func treat(_ buffer: inout [UInt8], _ count: Int, _ direction: Direction, _ place: Int) -> Step {
        state.withLock { state in
            state.passed[direction, default: []] += buffer[..<count]
            guard let fault = state.fault, fault.direction == direction, fault.offset < place + count else {
                return Step(pass: count)
            }
            let offset = max(fault.offset - place, 0)
            switch fault.deed {
            case .keepBack:
                let isWhole = HTTPMessage(state.passed[direction] ?? []) != nil
                if isWhole { (state.fault, state.hasFired, state.isDown) = (nil, true, true) }
                return Step(pass: offset, isEnd: isWhole)
            case .cut:
                (state.fault, state.hasFired, state.isDown) = (nil, true, true)
                return Step(pass: offset, isEnd: true)
            case .flip(let bits):
                (state.fault, state.hasFired) = (nil, true)
                buffer[offset] ^= bits
                return Step(pass: count)
            case .run(let deed):
                (state.fault, state.hasFired) = (nil, true)
                return Step(pass: count, before: deed)
            }
        }
    }
}

/// POSIX sockets on 127.0.0.1.
enum Loopback {
    static func listen() throws -> (socket: Int32, port: UInt16) {
        let listener = try open()
        var on: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && Foundation.listen(listener, 64) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        guard isListening else { throw TestFailure("no port on loopback can be opened") }
        return (listener, UInt16(bigEndian: address.sin_port))
    }

    /// Blocks until somebody calls; below 0 once the listener has ended.
    static func accept(_ listener: Int32) -> Int32 {
        let socket = Foundation.accept(listener, nil, nil)
        if socket >= 0 { _ = fcntl(socket, F_SETFD, FD_CLOEXEC) }
        return socket
    }

    static func connect(_ port: UInt16) -> Int32? {
        guard let server = try? open() else { return nil }
        var address = address(port)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        if isConnected { return server }
        close(server)
        return nil
    }

    static func send(_ bytes: ArraySlice<UInt8>, _ to: Int32) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var sent = 0
            while sent < buffer.count {
                let rest = UnsafeRawBufferPointer(rebasing: buffer[sent...])
                let count = Foundation.send(to, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
    }

    /// For both sides at once, and for whoever waits for it in another thread.
    static func end(_ socket: Int32) { shutdown(socket, Int32(SHUT_RDWR)) }

    /// Not passed on to child processes.
    private static func open() throws -> Int32 {
        #if canImport(Glibc)
            let handle = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let handle = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        guard handle >= 0, fcntl(handle, F_SETFD, FD_CLOEXEC) == 0 else { throw TestFailure("no socket can be opened") }
        return handle
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }
}
