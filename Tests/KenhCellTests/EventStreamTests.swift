import KenhCell
import Testing

@Suite("Server-sent events")
struct EventStreamTests {
    private func events(_ text: String) -> [ServerSentEvent] {
        var parser = EventStreamParser()
        return parser.take(text.utf8)
    }

    private static func event(_ type: String, _ data: String) -> ServerSentEvent {
        ServerSentEvent(type: type, data: data)
    }

    /// Examples of the HTML standard, section 9.2.6, among them.
    private static let streams: [(String, [ServerSentEvent])] = [
        ("event: moved\ndata: plan/KH1\n\n", [event("moved", "plan/KH1")]),
        ("data: YHOO\ndata: +2\ndata: 10\n\n", [event("message", "YHOO\n+2\n10")]),
        (
            ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [event("message", "first event"), event("message", "second event"), event("message", " third event")]
        ),
        ("data\n\ndata\ndata\n\ndata:", [event("message", ""), event("message", "\n")]),
        ("data:test\n\ndata: test\n\n", [event("message", "test"), event("message", "test")]),
        ("\u{FEFF}data: marked\n\n", [event("message", "marked")]),
        ("\u{FEFF}\u{FEFF}data: twice\n\n", []),
        ("data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\r\n\n", [event("message", "a\nb\nc"), event("message", "d")]),
        ("event: lonely\n\ndata: x\n\n", [event("message", "x")]),
        ("event: ready\ndata:\n\n:\n\n:\n\n", [event("ready", "")]),
        ("unknown: x\n data: not\nDATA: nor\ndata: Công đoàn: 2\n\n", [event("message", "Công đoàn: 2")]),
        ("data: cut in the middle", []), ("data: no empty line\n", []), ("", []), ("\n\r\n\r", []),
    ]

    @Test("are read by the standard's rules", arguments: streams.indices)
    func rules(_ index: Int) {
        let (text, expected) = Self.streams[index]
        #expect(events(text) == expected)
    }

    @Test("are the same whatever pieces they come in", arguments: streams.indices)
    func cuts(_ index: Int) {
        let bytes = Array(Self.streams[index].0.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                var parser = EventStreamParser()
                var found = parser.take(bytes[..<first])
                found += parser.take(bytes[first..<second])
                found += parser.take(bytes[second...])
                #expect(found == Self.streams[index].1, "cut at \(first) and \(second)")
            }
        }
        var parser = EventStreamParser()
        #expect(bytes.flatMap { parser.take([$0]) } == Self.streams[index].1, "byte by byte")
    }

    @Test(
        "ask for a wait with digits and nothing else",
        arguments: [
            ("retry: 3000\n", 3000), ("retry:10\n\n", 10), ("retry: soon\n", nil), ("retry: -1\n", nil),
            ("retry\n", nil),
            ("retry: 99999999999999999999\n", Int64.max), ("retry: 5\nretry: x\n", 5),
        ])
    func retry(_ text: String, _ expected: Int64?) {
        var parser = EventStreamParser()
        #expect(parser.take(text.utf8) == [])
        #expect(parser.retryMilliseconds == expected)
    }

    @Test("end where a line or an event is longer than anything that a centre says")
    func limits() {
        let most = EventStreamParser.limitBytes
        var parser = EventStreamParser()
        #expect(parser.take(":\(String(repeating: "x", count: most - 1))\ndata: a\n\n".utf8).count == 1)
        #expect(!parser.isTooLong)
        #expect(parser.take(":\(String(repeating: "x", count: most))".utf8) == [])
        #expect(parser.isTooLong)
        #expect(parser.take("\n\ndata: a\n\n".utf8) == [], "nothing more is read")

        var many = EventStreamParser()
        for _ in 0..<most { _ = many.take("data: line\n".utf8) }
        #expect(many.isTooLong)
        #expect(many.take("\n".utf8) == [])
    }
}
