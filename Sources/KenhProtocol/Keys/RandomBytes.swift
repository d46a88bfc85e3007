import KenhMerge

extension [UInt8] {
    /// `count` bytes from the generator, which the caller injects: the system's, or a seeded one in a simulation.
    package static func random(count: Int, using generator: inout some RandomNumberGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count { bytes += generator.next().bigEndianBytes }
        return Array(bytes.prefix(count))
    }
}
