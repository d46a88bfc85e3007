import Foundation

/// Takes connections and never answers, so that whoever calls waits.
final class SilentServer: Sendable {
    let port: UInt16
    private let listener: Int32
    private let called = DispatchSemaphore(value: 0)

    init() throws {
        (listener, port) = try Loopback.listen()
        Loopback.acceptAll(listener) { [called] _ in
            called.signal()
            return false
        }
    }

    deinit { Loopback.end(listener) }

    func waitForCall() -> Bool { called.wait(timeout: .now() + .seconds(60)) == .success }
}

/// Says the same to everybody who connects, whatever they want.
final class Talker: Sendable {
    let port: UInt16
    private let listener: Int32

    init(_ words: String) throws {
        (listener, port) = try Loopback.listen()
        Loopback.acceptAll(listener) { socket in
            _ = Loopback.send(Array(words.utf8)[...], socket)
            // Closing with unread bytes would take the words back.
            shutdown(socket, Int32(SHUT_WR))
            var rest = [UInt8](repeating: 0, count: 1 << 16)
            while read(socket, &rest, rest.count) > 0 {}
            return true
        }
    }

    deinit { Loopback.end(listener) }
}

/// Another HTTP server: Python's, over an empty folder.
final class WebServer {
    let port: UInt16
    private let child: Child

    init(in files: URL) throws {
        let (socket, port) = try Loopback.listen()
        close(socket)
        self.port = port
        child = try Child(
            "/usr/bin/env", ["python3", "-m", "http.server", String(port), "--bind", "127.0.0.1"], in: files)
        try Waiting.until("the web server serves") {
            guard let socket = Loopback.connect(port) else { return false }
            close(socket)
            return true
        }
    }

    deinit {
        child.send(SIGKILL)
        _ = child.wait()
    }
}

extension Loopback {
    /// - Parameter serve: whether the connection is to be closed afterwards; else it stays until the listener ends.
    static func acceptAll(_ listener: Int32, _ serve: @escaping @Sendable (Int32) -> Bool) {
        Thread.detachNewThread {
            var kept: [Int32] = []
            while true {
                let socket = Loopback.accept(listener)
                guard socket >= 0 else { break }
                if serve(socket) { close(socket) } else { kept.append(socket) }
            }
            for socket in kept + [listener] { close(socket) }
        }
    }
}
