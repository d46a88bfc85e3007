import Foundation
import KenhMerge

/// A block without its body: what its hash and signatures cover, and so what shows that a lane is whole.
public struct BlockHead: Sendable {
    public let headerBytes: [UInt8]
    public let deviceSignature: [UInt8]
    public let officerSignature: [UInt8]
    public let header: BlockHeader
    public let hash: Hash256

    public init(
        headerBytes: [UInt8], deviceSignature: [UInt8], officerSignature: [UInt8]
    ) throws(ProtocolError) {
        try self.init(
            BlockHeader(decoding: headerBytes), headerBytes: headerBytes, deviceSignature: deviceSignature,
            officerSignature: officerSignature)
    }

    /// - Parameter header: what the bytes say.
    init(
        _ header: BlockHeader, headerBytes: [UInt8], deviceSignature: [UInt8], officerSignature: [UInt8]
    ) throws(ProtocolError) {
        self.header = header
        guard officerSignature.isEmpty || (officerSignature.count == 64 && !header.officer.isEmpty) else {
            throw ProtocolError(.malformed, "the block bears an officer's signature that is none")
        }
        self.headerBytes = headerBytes
        self.deviceSignature = deviceSignature
        self.officerSignature = officerSignature
        hash = Hashing.sha256(domain: .block, headerBytes)
    }

    /// - Throws: ``ProtocolError`` with code `malformed` where there is a body, too.
    public init(_ wire: WireBlock) throws(ProtocolError) {
        guard wire.body.isEmpty, wire.detached.isEmpty else {
            throw ProtocolError(.malformed, "a block that was to come without its body has one")
        }
        try self.init(
            headerBytes: Array(wire.header), deviceSignature: Array(wire.deviceSignature),
            officerSignature: Array(wire.officerSignature))
    }

    /// - Throws: ``ProtocolError`` with code `badSignature`.
    public func verify(deviceKey: PublicKey) throws(ProtocolError) {
        guard deviceKey.verifies(deviceSignature, of: headerBytes, domain: .blockDevice) else {
            throw ProtocolError(.badSignature, "the block's signature is not its device's")
        }
    }
}
