import KenhCell
import KenhMerge
import KenhProtocol
import KenhStore

extension FuzzTarget {
    /// Whatever is said of attachments: queries and paths of requests, files of people, and statuses of a centre that
    /// lies to a cell.
    static let blob = FuzzTarget("blob", seeds: { BlobFuzz.seeds }) { bytes in
        var input = FuzzInput(bytes)
        switch input.below(3) {
        case 0: try BlobFuzz.read(query: input.text(), path: input.text())
        case 1: try BlobFuzz.look(at: input.text(), input.chunk(), input.rest())
        default: try BlobFuzz.drive(&input)
        }
    }
}

private enum BlobFuzz {
    /// What is read of a query is what is written of it.
    static func read(query text: String, path: String) throws {
        do {
            let query = try BlobQuery(text)
            try require(ChannelName.isValid(query.channel), "a query of no channel is taken")
            try require((1...BlobRules.pieceBytes).contains(query.limitBytes), "a piece out of bounds")
            let call = HTTPCall(method: "GET", path: "/", query: query.pairs, bodyLimitBytes: 0)
            var again = try BlobQuery(call.encodedQuery)
            // What does not go together is not written.
            if query.wantsStatus { again = query }
            if query.size != nil { again.limitBytes = query.limitBytes }
            try require(again == query, "a query comes back otherwise")
        } catch let error as ProtocolError { try require(error.code == .malformed, "a query is refused otherwise") }
        guard let hash = try? BlobPath.hash(in: path) else { return }
        try require(BlobPath.path(of: hash) == path, "a path comes back otherwise")
    }

    static func look(at name: String, _ head: [UInt8], _ tail: [UInt8]) throws {
        guard let type = try? FileType.of(name: name, head: head, tail: tail) else { return }
        try require(BlobRules.usualTypes.contains(type), "a file has a type that nobody knows")
    }

    /// A lane asks for nothing out of bounds, whatever it is answered.
    static func drive(_ input: inout FuzzInput) throws {
        var random = CountingGenerator()
        var lane = AttachmentLane()
        let transfers = (0..<1 + input.below(3)).map { number in
            Transfer(
                hash: Hash256(UInt64(number), 0, 0, 0), channel: "a", direction: input.flag() ? .up : .down,
                size: UInt64(clamping: input.number()), type: "a/b", isDone: input.flag(),
                tries: Int(clamping: input.number()), nextAtMilliseconds: input.number())
        }
        var effects = lane.handle(.started(transfers, epoch: []), nowMilliseconds: FuzzWorld.now, using: &random)
        while !effects.isEmpty, !input.isAtEnd {
            let effect = effects.removeFirst()
            try check(effect)
            guard let event = event(effect, &input) else { continue }
            effects += lane.handle(event, nowMilliseconds: FuzzWorld.now, using: &random)
        }
    }

    private static func check(_ effect: AttachmentLane.Effect) throws {
        switch effect {
        case .send(let transfer, let offset, let limit), .fetch(let transfer, let offset, let limit):
            try require((1...BlobRules.pieceBytes).contains(limit), "a piece out of bounds")
            try require(offset < transfer.size, "a piece beyond the end")
        case .save(let transfer):
            try require(transfer.isDone || transfer.tries > 0, "a failure that is not counted")
        case .askStatus, .check, .finish, .done: break
        }
    }

    private static func event(_ effect: AttachmentLane.Effect, _ input: inout FuzzInput) -> AttachmentLane.Event? {
        if case .save = effect { return nil }
        if case .done = effect { return nil }
        if input.below(8) == 0 { return .failed(TransferFailure(input.pick([.later, .line, .person]), "no")) }
        switch effect {
        case .askStatus:
            return .status(input.below(4) == 0 ? nil : status(&input), local: UInt64(clamping: input.number()))
        case .check: return .checked(input.flag())
        case .send: return .sent(status(&input))
        case .fetch: return .fetched(UInt64(clamping: input.number()))
        case .finish: return .finished(input.flag())
        case .save, .done: return nil
        }
    }

    private static func status(_ input: inout FuzzInput) -> WireBlobStatus {
        var status = WireBlobStatus()
        (status.size, status.have) = (UInt64(clamping: input.number()), UInt64(clamping: input.number()))
        return status
    }

    static var seeds: [[UInt8]] {
        var query = FuzzOutput()
        query.byte(0)
        query.text("channel=plan%2FKH1&size=10&type=image%2Fpng&offset=3&limit=7")
        query.text("/v1/blobs/" + String(repeating: "0f", count: 32))
        var file = FuzzOutput()
        file.byte(1)
        file.text("a.docx")
        file.chunk([0x50, 0x4b, 3, 4])
        return [
            query.bytes, file.bytes + Array("word/".utf8),
            [2, 1, 1, 20, 0, 8, 8, 0, 0, 1, 1, 0, 20, 9, 1, 1, 20, 12, 1, 20, 20],
        ]
    }
}
