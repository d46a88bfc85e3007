/// An event of a stream.
public struct ServerSentEvent: Sendable, Equatable {
    /// "message" where the stream names none.
    public var type: String
    /// Lines joined by line feeds.
    public var data: String

    public init(type: String, data: String) {
        (self.type, self.data) = (type, data)
    }
}

/// Reads server-sent events by the rules of the HTML standard (section 9.2.6), from bytes in any pieces. Ids are passed
/// over, since nothing is resumed.
public struct EventStreamParser: Sendable {
    /// Of a line, and of an event's type and data together.
    public static let limitBytes = 16 << 10

    /// What the stream asks to wait before connecting again, where it does.
    public private(set) var retryMilliseconds: Int64?
    /// A line or an event went over the limit; nothing more is read.
    public private(set) var isTooLong = false

    private var line: [UInt8] = []
    private var isFirstLine = true
    /// The last byte was a carriage return: a line feed right after it is of the same end of line.
    private var isAfterReturn = false
    private var type = ""
    private var data = ""

    public init() {}

    /// - Returns: the events that these bytes complete.
    public mutating func take(_ bytes: some Sequence<UInt8>) -> [ServerSentEvent] {
        var events: [ServerSentEvent] = []
        for byte in bytes {
            guard !isTooLong else { break }
            if let event = take(byte) { events.append(event) }
        }
        return events
    }

    private mutating func take(_ byte: UInt8) -> ServerSentEvent? {
        let isRestOfEnd = isAfterReturn && byte == UInt8(ascii: "\n")
        isAfterReturn = byte == UInt8(ascii: "\r")
        if isRestOfEnd { return nil }
        guard byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") else {
            line.append(byte)
            isTooLong = line.count > Self.limitBytes
            return nil
        }
        defer {
            line.removeAll(keepingCapacity: true)
            isFirstLine = false
        }
        return endLine()
    }

    private mutating func endLine() -> ServerSentEvent? {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = isFirstLine && line.starts(with: mark) ? line.dropFirst(mark.count) : line[...]
        guard !text.isEmpty else { return dispatch() }
        let colon = text.firstIndex(of: UInt8(ascii: ":"))
        var value = colon.map { text[$0...].dropFirst() } ?? []
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        set(String(decoding: text[..<(colon ?? text.endIndex)], as: UTF8.self), to: value)
        return nil
    }

    /// A line that begins with the colon has an empty name, and is a comment like every name that is not known.
    private mutating func set(_ name: String, to value: ArraySlice<UInt8>) {
        switch name {
        case "event": type = String(decoding: value, as: UTF8.self)
        case "data": data += String(decoding: value, as: UTF8.self) + "\n"
        case "retry" where !value.isEmpty && value.allSatisfy { (0x30...0x39).contains($0) }:
            retryMilliseconds = Int64(String(decoding: value, as: UTF8.self)) ?? .max
        default: return
        }
        isTooLong = type.utf8.count + data.utf8.count > Self.limitBytes
    }

    private mutating func dispatch() -> ServerSentEvent? {
        defer { (type, data) = ("", "") }
        guard !data.isEmpty else { return nil }
        return ServerSentEvent(type: type.isEmpty ? "message" : type, data: String(data.dropLast()))
    }
}
