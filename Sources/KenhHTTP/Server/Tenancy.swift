/// On what terms a centre shares its process with others; as it stands, of one that is alone.
struct Tenancy: Sendable {
    /// Nil of a centre that is alone.
    var name: String?
    /// Of requests' bodies that are held at once.
    var memory = BodyMemory(limitBytes: .max)
    /// Whether all together have fewer streams than the process has for them.
    var hasRoomForStream: @Sendable () -> Bool = { true }

    /// Of metrics.
    var dimensions: [(String, String)] { name.map { [("organisation", $0)] } ?? [] }
}
