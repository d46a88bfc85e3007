import Foundation
import Synchronization

/// What the loopback server does with a request, once it has read it whole.
enum LoopbackAnswer: Sendable {
    /// Sends these bytes and waits for the next request on the connection.
    case bytes(String)
    /// Sends these bytes and closes.
    case bytesThenClose(String)
    /// Closes without a word.
    case close
    /// Never answers; the connection stays until the other side gives up.
    case silence
    /// Sends the request's body back.
    case echo

    static func ok(_ body: String, headers: String = "") -> LoopbackAnswer {
        .bytes("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
    }
}

/// A request as it arrived.
struct LoopbackRequest: Sendable {
    /// Counts the connections from zero.
    var connection: Int
    var head: String
    var body: [UInt8]

    var firstLine: String { head.components(separatedBy: "\r\n").first ?? "" }

    func header(_ name: String) -> String? {
        for line in head.components(separatedBy: "\r\n").dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].lowercased() == name else { continue }
            return parts[1].trimmingCharacters(in: .whitespaces)
        }
        return nil
    }
}

/// An HTTP/1.1 server on 127.0.0.1 that answers from a script, one thread a connection. It understands just enough to
/// test a client: heads, and bodies with a Content-Length.
final class LoopbackServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let script: Mutex<[LoopbackAnswer]>
    private let received = Mutex<[LoopbackRequest]>([])
    private let greeting: [UInt8]
    private let onRequest: @Sendable () -> Void

    /// Answers run out in order; when they have, connections are closed. The greeting is sent before anything is read.
    init(_ script: [LoopbackAnswer], greeting: String = "", onRequest: @escaping @Sendable () -> Void = {}) throws {
        (listener, port) = try LoopbackSocket.bound()
        self.script = Mutex(script)
        self.greeting = Array(greeting.utf8)
        self.onRequest = onRequest
        guard listen(listener, 16) == 0 else { throw LoopbackSocket.Failure() }
        let listener = listener
        Thread.detachNewThread { [weak self] in
            var connection = 0
            while true {
                let socket = accept(listener, nil, nil)
                guard socket >= 0 else { break }
                let number = connection
                connection += 1
                Thread.detachNewThread { [weak self] in
                    self?.serve(socket, number)
                    close(socket)
                }
            }
            close(listener)
        }
    }

    /// Wakes the accepting thread, which then closes the listener.
    deinit { shutdown(listener, Int32(SHUT_RDWR)) }

    var url: String { "http://127.0.0.1:\(port)" }
    var requests: [LoopbackRequest] { received.withLock { $0 } }

    private func serve(_ socket: Int32, _ connection: Int) {
        guard LoopbackSocket.write(greeting, socket) else { return }
        var reader = LoopbackReader(socket)
        while let request = reader.request(connection) {
            received.withLock { $0.append(request) }
            onRequest()
            let answer = script.withLock { $0.isEmpty ? LoopbackAnswer.close : $0.removeFirst() }
            guard perform(answer, request, socket) else { return }
        }
    }

    /// False where the connection ends.
    private func perform(_ answer: LoopbackAnswer, _ request: LoopbackRequest, _ socket: Int32) -> Bool {
        switch answer {
        case .bytes(let text): return LoopbackSocket.write(Array(text.utf8), socket)
        case .bytesThenClose(let text):
            _ = LoopbackSocket.write(Array(text.utf8), socket)
            return false
        case .close: return false
        case .silence: return true
        case .echo:
            let head = "HTTP/1.1 200 OK\r\nContent-Length: \(request.body.count)\r\n\r\n"
            return LoopbackSocket.write(Array(head.utf8) + request.body, socket)
        }
    }
}

/// Reads requests off a socket.
private struct LoopbackReader {
    private let socket: Int32
    private var buffer: [UInt8] = []

    init(_ socket: Int32) { self.socket = socket }

    /// Nil once the other side is gone.
    mutating func request(_ connection: Int) -> LoopbackRequest? {
        let end = Array("\r\n\r\n".utf8)
        var range = buffer.firstRange(of: end)
        while range == nil {
            guard readMore() else { return nil }
            range = buffer.firstRange(of: end)
        }
        guard let range else { return nil }
        var request = LoopbackRequest(
            connection: connection, head: String(decoding: buffer[..<range.lowerBound], as: UTF8.self), body: [])
        buffer.removeSubrange(..<range.upperBound)
        let length = request.header("content-length").flatMap { Int($0) } ?? 0
        while buffer.count < length { guard readMore() else { return nil } }
        request.body = Array(buffer.prefix(length))
        buffer.removeFirst(length)
        return request
    }

    private mutating func readMore() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = read(socket, &chunk, chunk.count)
        guard count > 0 else { return false }
        buffer += chunk[..<count]
        return true
    }
}

enum LoopbackSocket {
    struct Failure: Error { var number = errno }

    /// A socket bound to a free port of 127.0.0.1, not listening: connecting to it is refused, and nobody else gets it.
    static func bound() throws -> (socket: Int32, port: UInt16) {
        #if canImport(Glibc)
            let stream = Int32(SOCK_STREAM.rawValue)
        #else
            let stream = SOCK_STREAM
        #endif
        let handle = socket(AF_INET, stream, 0)
        guard handle >= 0 else { throw Failure() }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(handle, $0, length) == 0 && getsockname(handle, $0, &length) == 0
            }
        }
        guard isBound else {
            close(handle)
            throw Failure()
        }
        return (handle, UInt16(bigEndian: address.sin_port))
    }

    static func write(_ bytes: [UInt8], _ socket: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}
