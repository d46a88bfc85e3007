/// What is still to happen, by virtual time; what is due at the same time happens in the order in which it was added.
struct EventQueue<Event> {
    private struct Entry {
        let time: Int64
        let number: UInt64
        let event: Event

        func precedes(_ other: Entry) -> Bool { (time, number) < (other.time, other.number) }
    }

    /// A binary heap.
    private var entries: [Entry] = []
    private var count: UInt64 = 0

    mutating func add(_ event: Event, at time: Int64) {
        count += 1
        entries.append(Entry(time: time, number: count, event: event))
        var at = entries.count - 1
        while at > 0, entries[at].precedes(entries[(at - 1) / 2]) {
            entries.swapAt(at, (at - 1) / 2)
            at = (at - 1) / 2
        }
    }

    mutating func next() -> (time: Int64, event: Event)? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            sink()
        }
        return (first.time, first.event)
    }

    private mutating func sink() {
        var at = 0
        while true {
            var least = at
            for child in [2 * at + 1, 2 * at + 2] where child < entries.count {
                if entries[child].precedes(entries[least]) { least = child }
            }
            guard least != at else { return }
            entries.swapAt(at, least)
            at = least
        }
    }

    mutating func removeAll() { entries = [] }
}
