import KenhMerge
import KenhProtocol

extension Store {
    /// The key that the store was switched to; nil where it has the one that it began with.
    public func deviceKey() throws(StoreError) -> PublicKey? {
        guard case .blob(let bytes) = try fact(StoreCore.deviceKeyName) else { return nil }
        return try? PublicKey(bytes: bytes)
    }

    /// From here on all is sealed under another key, and under a replica of its own: a replica is one device's for ever.
    ///
    /// - Parameter replica: as the centre has entered it for the key.
    /// - Returns: false, and nothing is changed, where something is sealed and not acknowledged: that has to go out under
    ///   the key that signed it.
    public func switchDevice(to key: PublicKey, replica: ReplicaID) throws(StoreError) -> Bool {
        try transaction { _, core in
            guard try core.blocks.channelsWithUnsent().isEmpty else { return false }
            try core.meta.set(StoreCore.deviceKeyName, .blob(key.bytes))
            try core.meta.set(StoreCore.replicaKey, .blob(replica.bytes))
            core.channels.forgetOwnBranches()
            return true
        }
    }
}
