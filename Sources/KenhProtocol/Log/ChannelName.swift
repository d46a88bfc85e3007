/// Names of channels, such as `org` or `plan/KH1`.
public enum ChannelName {
    /// Of the centre's registry; no row belongs to it.
    public static let registry = "kenh/registry"

    /// 1 to 200 printable ASCII characters. Other scripts are left out because one name could be spelled in several
    /// ways (NFC and NFD), which people cannot tell apart and nodes must.
    public static func isValid(_ name: String) -> Bool {
        let bytes = name.utf8
        return (1...200).contains(bytes.count) && bytes.allSatisfy { (0x20...0x7e).contains($0) }
            && !bytes.starts(with: "kenh/".utf8)
    }
}
