import KenhMerge

/// What a device signs with its own key when it enrols, so that the registry can show that the key was its own wish.
public enum Enrolment {
    /// Fingerprint, device key and replica, one after another; all of fixed length.
    public static func claim(organisation: Hash256, key: PublicKey, replica: ReplicaID) -> [UInt8] {
        organisation.bytes + key.bytes + replica.bytes
    }

    /// What a device signs with the key that it gives up: fingerprint, that key, the new one, and the new one's replica.
    public static func replacement(
        organisation: Hash256, of old: PublicKey, by key: PublicKey, replica: ReplicaID
    ) -> [UInt8] {
        organisation.bytes + old.bytes + key.bytes + replica.bytes
    }
}
