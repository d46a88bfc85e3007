import Foundation
import HTTPTypes
import KenhTesting

/// A request over a socket of its own that is begun and not ended: the last byte of its body is kept back.
final class SlowRequest: Sendable {
    struct Failure: Error, CustomStringConvertible { let description: String }

    private let handle: Int32
    private let lastByte: UInt8

    init(_ message: Message, port: Int) throws {
        let body = message.body ?? []
        lastByte = body.last ?? 0
        handle = try LoopbackLine.connected(port)
        let fields = message.headers.map { "\($0.0): \($0.1)\r\n" }.joined()
        try send(
            Array(
                ("\(message.method) \(message.path)\(message.query) HTTP/1.1\r\nHost: localhost\r\n\(fields)"
                    + "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n").utf8) + body.dropLast())
    }

    deinit { close(handle) }

    /// Sends the rest.
    ///
    /// - Returns: the first line of the answer.
    func finish() throws -> String {
        try send([lastByte])
        return firstLine()
    }

    /// Ends the line on this side before the last byte.
    ///
    /// - Returns: the first line of the answer; empty where there is none.
    func cutOff() -> String {
        shutdown(handle, Int32(SHUT_WR))
        return firstLine()
    }

    private func firstLine() -> String {
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(handle, &buffer, buffer.count)
            guard count > 0 else { break }
            answer += buffer[..<count]
        }
        return String(decoding: answer.prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
    }

    private func send(_ bytes: [UInt8]) throws {
        guard bytes.withUnsafeBytes({ write(handle, $0.baseAddress, $0.count) }) == bytes.count else {
            throw Failure(description: "not sent: \(String(cString: strerror(errno)))")
        }
    }
}
