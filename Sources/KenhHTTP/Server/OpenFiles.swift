import Foundation

/// How many files and connections this process may have open at once.
public enum OpenFiles {
    /// Raises the limit where it is lower and the system lets it be raised.
    ///
    /// - Returns: the limit as it is then.
    @discardableResult
    public static func allow(_ count: Int) -> Int {
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0 else { return 0 }
        let wanted = rlim_t(clamping: count)
        if limit.rlim_cur < wanted {
            limit.rlim_cur = min(wanted, limit.rlim_max)
            guard setrlimit(resource, &limit) == 0, getrlimit(resource, &limit) == 0 else { return 0 }
        }
        return Int(clamping: limit.rlim_cur)
    }

    #if canImport(Glibc)
        private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
        private static let resource = RLIMIT_NOFILE
    #endif
}
