import KenhMerge

/// Where snapshots are asked for: `/v1/snapshots` with the channel in the query, `/v1/snapshots/` and a chunk's hash. The
/// channel is no part of the path, since a name with a slash would have to be encoded there, and proxies differ in what
/// they make of that.
public enum SnapshotPath {
    public static let path = "/v1/snapshots"

    public static func path(of chunk: Hash256) -> String { "\(path)/\(chunk.bytes.hex)" }

    /// - Throws: ``ProtocolError`` with code `malformed`.
    public static func hash(in path: String) throws(ProtocolError) -> Hash256 {
        guard let hash = Hash256(path: path, after: Self.path + "/") else {
            throw ProtocolError(.malformed, "a chunk is named by 64 lower-case hex digits")
        }
        return hash
    }
}
