import SwiftProtobuf

/// Messages to bytes and back, with errors in this protocol's words.
public enum WireCoding {
    public static func encode(_ message: some Message) throws(ProtocolError) -> [UInt8] {
        do { return try message.serializedBytes() } catch {
            throw ProtocolError(.malformed, "a message cannot be written: \(error)")
        }
    }

    public static func decode<M: Message>(_ type: M.Type, from bytes: [UInt8]) throws(ProtocolError) -> M {
        do { return try M(serializedBytes: bytes) } catch {
            throw ProtocolError(.malformed, "the body is no message of this protocol")
        }
    }
}
