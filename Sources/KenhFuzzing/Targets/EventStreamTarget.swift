import KenhCell

extension FuzzTarget {
    /// A stream of events in any bytes: whatever it is cut into, it says the same, and no more than the limit is held.
    static let eventStream = FuzzTarget("event-stream", seeds: { EventStreamFuzz.seeds }) { bytes in
        var input = FuzzInput(bytes)
        let cuts = (0..<input.below(4)).map { _ in input.below(256) + 1 }
        let stream = input.rest()
        var whole = EventStreamParser()
        let events = whole.take(stream)
        var cut = EventStreamParser()
        var found: [ServerSentEvent] = []
        var rest = stream[...]
        var turn = 0
        while !rest.isEmpty {
            let size = cuts.isEmpty ? 1 : cuts[turn % cuts.count]
            found += cut.take(rest.prefix(size))
            rest = rest.dropFirst(size)
            turn += 1
        }
        try require(found == events, "cuts at \(cuts) make \(found) of \(events)")
        try require(
            cut.retryMilliseconds == whole.retryMilliseconds && cut.isTooLong == whole.isTooLong,
            "cuts change what is said beside events")
        for event in events {
            try require(!event.type.isEmpty, "an event without a type")
            // What is no UTF-8 becomes U+FFFD, three bytes for one.
            try require(
                event.type.utf8.count + event.data.utf8.count <= EventStreamParser.limitBytes, "an event over the limit"
            )
        }
        try require((whole.retryMilliseconds ?? 0) >= 0, "a wait below zero")
    }
}

private enum EventStreamFuzz {
    static var seeds: [[UInt8]] {
        let streams = [
            "retry: 3000\n\nevent: ready\ndata:\n\n:\n\nevent: moved\ndata: plan/KH1\n\n",
            "\u{FEFF}data: a\r\ndata:  b\r\rid: 1\nevent\nretry: x\ndata\n\n", "data: cut in the mid",
        ]
        return streams.map { [2, 0, 6] + Array($0.utf8) } + [[0] + Array("data:\u{E9}\r\n\r\n".utf8).dropLast(3)]
    }
}
