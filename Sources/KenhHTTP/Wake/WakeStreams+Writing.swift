import Hummingbird
import KenhHub
import NIOCore

/// A writer that is not used any more by whoever hands it to a task.
private struct Handed: @unchecked Sendable {
    let writer: any ResponseBodyWriter
}

extension WakeStreams {
    func body(to listener: WakeListener, until requestBody: RequestBody) -> ResponseBody {
        ResponseBody { [self] writer in
            let writer = writer
            try await requestBody.consumeWithInboundCloseHandler { _ in
                try await serve(listener, to: writer)
            } onInboundClosed: {
                listener.finish()
            }
        }
    }

    /// Writes until the listener's end. Whoever reads slowly holds up nothing but this.
    ///
    /// - Throws: where the connection broke, or was not read from any more at the end.
    package func serve(_ listener: WakeListener, to writer: any ResponseBodyWriter) async throws {
        let writer = Handed(writer: writer)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.write(listener, to: writer.writer) }
            group.addTask { try await self.keepAlive(listener) }
            group.addTask { try await self.cutOff(listener) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func write(_ listener: WakeListener, to writer: any ResponseBodyWriter) async throws {
        var writer = writer
        try await writer.write(ByteBuffer(string: "retry: \(options.retryMilliseconds)\n\nevent: ready\ndata:\n\n"))
        for await _ in listener.signals {
            let channels = listener.take()
            let text = channels.isEmpty ? ":\n\n" : channels.map { "event: moved\ndata: \($0)\n\n" }.joined()
            try await writer.write(ByteBuffer(string: text))
        }
        try await writer.finish(nil)
    }

    private func keepAlive(_ listener: WakeListener) async throws {
        while true {
            try await Task.sleep(for: .seconds(options.keepAliveSeconds))
            listener.remind()
        }
    }

    /// A stream that is to end does so, also where its reader takes nothing any more.
    private func cutOff(_ listener: WakeListener) async throws {
        for await _ in listener.end {}
        try await Task.sleep(for: .seconds(options.endSeconds))
        throw CancellationError()
    }
}
