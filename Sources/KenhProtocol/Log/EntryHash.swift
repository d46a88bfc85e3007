import KenhMerge

/// The hash of a log entry. It covers the entry before it in the channel, so that whoever knows a channel's newest
/// entry hash can tell whether any entry below it was changed, left out or put in.
///
///     SHA-256(domain ‖ previous 32 bytes ‖ kind byte ‖ length varint and bytes of the channel ‖ sequence varint
///         ‖ object hash 32 bytes ‖ accepted-at zigzag varint, and of a ruling: ‖ length varint and bytes of it)
public enum EntryHash {
    public static func next(
        after previous: Hash256, kind: WireEntryKind, channel: String, sequence: UInt64, object: Hash256,
        acceptedAtMilliseconds: Int64, ruling: [UInt8] = []
    ) -> Hash256 {
        var writer = ByteWriter()
        writer.raw(previous.bytes)
        writer.byte(UInt8(truncatingIfNeeded: kind.rawValue))
        writer.prefixed(Array(channel.utf8))
        writer.varint(sequence)
        writer.raw(object.bytes)
        writer.signed(acceptedAtMilliseconds)
        if kind == .ruling { writer.prefixed(ruling) }
        return Hashing.sha256(domain: .entry, writer.bytes)
    }
}
