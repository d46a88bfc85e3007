import CFaultFS

/// The time that SQLite takes from the machine, on this thread: triggers ask it, and not a store's clock.
public enum SQLiteTime {
    /// Milliseconds since 1970.
    public static func set(_ milliseconds: Int64) {
        _ = kenh_faultfs_register()
        kenh_faultfs_set_time(milliseconds)
    }

    /// Back to the machine's own.
    public static func clear() { kenh_faultfs_clear_time() }
}
