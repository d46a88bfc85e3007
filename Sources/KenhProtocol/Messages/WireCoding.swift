import SwiftProtobuf

/// Messages to bytes and back, with errors in this protocol's words.
public enum WireCoding {
    public static func encode(_ message: some Message) throws(ProtocolError) -> [UInt8] {
        do { return try message.serializedBytes() } catch {
            throw ProtocolError(.malformed, "a message cannot be written: \(error)")
        }
    }

    /// Without the fields that this version does not know: written again, the message shows whether there were any.
    public static func decodeKnown<M: Message>(_ type: M.Type, from bytes: [UInt8]) throws(ProtocolError) -> M {
        var options = BinaryDecodingOptions()
        options.discardUnknownFields = true
        do { return try M(serializedBytes: bytes, options: options) } catch {
            throw ProtocolError(.malformed, "the body is no message of this protocol")
        }
    }

    public static func decode<M: Message>(_ type: M.Type, from bytes: [UInt8]) throws(ProtocolError) -> M {
        do { return try M(serializedBytes: bytes) } catch {
            throw ProtocolError(.malformed, "the body is no message of this protocol")
        }
    }
}
