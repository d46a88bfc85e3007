import Foundation
import KenhHub
import KenhMerge
import KenhProtocol

/// Many devices, each with a stream of `GET /v1/wake` over a socket of its own, all heard by the one thread that calls.
public final class WakeAudience {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    private let devices: [SigningKey]
    private let organisation: Hash256
    private var random: SeededGenerator
    private var sockets: [pollfd] = []
    /// What has come of each stream and was not looked for yet.
    private var heard: [[UInt8]] = []

    /// Enters so many devices of a cell at once. The registry's channel of the log does not tell of them.
    public init(_ count: Int, of cell: String, in log: any HubLog, organisation: Hash256, seed: UInt64 = 1) throws {
        var random = SeededGenerator(seed: seed)
        let devices = try (0..<count).map { _ in try SigningKey(using: &random) }
        try log.write { transaction in
            for device in devices {
                try transaction.addDevice(RegisteredDevice(key: device.publicKey, cell: cell, name: "listener"))
            }
        }
        (self.devices, self.organisation, self.random) = (devices, organisation, random)
    }

    deinit { for socket in sockets { close(socket.fd < 0 ? ~socket.fd : socket.fd) } }

    /// Opens all streams, and returns when the centre has said of each that it is ready.
    ///
    /// - Parameter now: milliseconds by the centre's clock.
    public func open(port: Int, now: Int64) throws {
        for device in devices {
            let socket = try LoopbackLine.connected(port)
            sockets.append(pollfd(fd: socket, events: Int16(POLLIN), revents: 0))
            heard.append([])
            let text = try Array(request(of: device, now: now).utf8)
            guard text.withUnsafeBytes({ write(socket, $0.baseAddress, $0.count) }) == text.count else {
                throw Failure(description: "a request was not sent: \(String(cString: strerror(errno)))")
            }
        }
        try hear("event: ready\ndata:\n\n")
    }

    /// Returns when every stream has said this.
    public func hear(_ words: String) throws {
        let words = Array(words.utf8)
        var waiting = Set(sockets.indices)
        while !waiting.isEmpty {
            for index in waiting where heard[index].firstRange(of: words) != nil {
                heard[index] = []
                waiting.remove(index)
                // poll passes over what is below zero.
                sockets[index].fd = ~sockets[index].fd
            }
            guard !waiting.isEmpty else { break }
            guard poll(&sockets, nfds_t(sockets.count), 60_000) > 0 else {
                throw Failure(description: "\(waiting.count) of \(sockets.count) streams said nothing for a minute")
            }
            for index in waiting where sockets[index].revents != 0 { try read(index) }
        }
        for index in sockets.indices where sockets[index].fd < 0 { sockets[index].fd = ~sockets[index].fd }
    }

    private func read(_ index: Int) throws {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Foundation.read(sockets[index].fd, &buffer, buffer.count)
        guard count > 0 else {
            throw Failure(description: "stream \(index) ended: \(String(decoding: heard[index], as: UTF8.self))")
        }
        heard[index] += buffer[..<count]
    }

    private func request(of device: SigningKey, now: Int64) throws -> String {
        let parts = RequestParts(
            method: "GET", path: "/v1/wake", query: "", contentType: "", contentDigest: "",
            organisation: organisation.bytes.hex)
        let signature = try RequestSignature.sign(
            parts, with: device, created: now / 1000, nonce: Nonce(using: &random))
        return
            "GET /v1/wake HTTP/1.1\r\nHost: localhost\r\n\(RequestParts.organisationField): \(parts.organisation)\r\n"
            + "Signature-Input: \(signature.signatureInput)\r\nSignature: \(signature.signature)\r\n\r\n"
    }
}
