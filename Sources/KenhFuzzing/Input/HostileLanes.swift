import KenhMerge
import KenhProtocol

/// Blocks signed by registered devices that write what they like: they go on from any block of theirs, also twice from
/// the same one as a cloned device does, and begin and end groups as they please.
struct HostileLanes {
    private struct Place {
        let channel: String
        let device: Int
        let hash: Hash256
        let lastCounter: UInt64
    }

    private var places: [Place] = []
    private let codec = BlockCodec()

    init() {}

    /// Lets further blocks be built upon a block that others know, too.
    mutating func add(_ block: Block, device: Int) {
        places.append(
            Place(
                channel: block.header.channel, device: device, hash: block.hash, lastCounter: block.header.lastCounter))
    }

    /// Nil where what the input asks for cannot be written as a block at all.
    mutating func block(_ input: inout FuzzInput, device: Int) throws -> Block? {
        let channel = input.pick(["org", "a", "b", "kenh/x", ""])
        let mine = places.filter { $0.channel == channel && $0.device == device }
        let at = input.below(mine.count + 1)
        // 0 is the newest, so that a plain input makes a plain chain.
        let previous = at < mine.count ? mine[mine.count - 1 - at] : nil
        let pins = places.filter { $0.channel == channel && ($0.device != device || input.flag()) }.map {
            ReplicaPin(replica: FuzzWorld.replicas[$0.device], counter: $0.lastCounter, hash: $0.hash.prefix)
        }
        let group = input.byte()
        var maker = BodyMaker(input)
        let builder = maker.body(pins: pins, ownCounter: previous?.lastCounter ?? 0)
        input = maker.input
        let draft = BlockDraft(
            organisation: FuzzWorld.organisation, channel: channel, replica: FuzzWorld.replicas[device],
            officer: group & 4 == 0 ? "" : "officer", firstCounter: (previous?.lastCounter ?? 0) + 1,
            previous: previous?.hash ?? .zero, schemaVersion: UInt32(group >> 4), isGroupStart: group & 1 == 0,
            isGroupEnd: group & 2 == 0)
        guard let block = try? codec.seal(builder, as: draft, key: FuzzWorld.devices[device]),
            (try? codec.open(block)) != nil
        else { return nil }
        add(block, device: device)
        return block
    }
}
