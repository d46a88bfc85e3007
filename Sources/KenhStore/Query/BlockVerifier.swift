import KenhMerge
import KenhProtocol

/// Reads every block that a store holds as if it had just come from the wire, and checks that it stands where the
/// store says.
struct BlockVerifier {
    private let core: StoreCore
    private let ownReplicas: Set<ReplicaID>
    private var keys: [ReplicaID: PublicKey] = [:]
    /// Whether all blocks could be decoded, so that rows can be rebuilt from them.
    private(set) var areReadable = true

    private struct Place {
        let hash: [UInt8]
        let channel: Int
        let branch: Int?
        let firstCounter: UInt64
        let count: Int
        let isApplied: Bool
        let isAccepted: Bool
    }

    init(core: StoreCore) {
        self.core = core
        let own = core.channels.all.compactMap(\.ownBranch).compactMap { core.index.branch($0)?.replica }
        ownReplicas = Set(own)
    }

    mutating func run(_ report: inout VerifyReport, _ steps: inout VerifyProgress) throws {
        let read = try core.sql(
            """
            SELECT hash, ch, branch, first_counter, changes, is_applied, sequence IS NOT NULL, header, body,
                device_signature, officer_signature, detached, base_sequence FROM kenh_block ORDER BY seq
            """)
        defer { read.reset() }
        while try read.step() {
            let place = Place(
                hash: read.array(0), channel: Int(read.int(1)), branch: read.isNull(2) ? nil : Int(read.int(2)),
                firstCounter: UInt64(clamping: read.int(3)), count: Int(read.int(4)), isApplied: read.int(5) == 1,
                isAccepted: read.int(6) == 1)
            report.blocks += 1
            let name = "block \(place.hash.prefix(6).hex) in \(core.channels.name(place.channel))"
            do {
                let head = try BlockHead(
                    headerBytes: read.array(7), deviceSignature: read.array(9), officerSignature: read.array(10))
                report.changes += Int(head.header.count)
                for problem in try problems(head, place) { report.add("\(name) \(problem)") }
                if read.bytes(8).isEmpty {
                    guard read.isNull(12) else {
                        steps.step()
                        continue
                    }
                    throw ProtocolError(.malformed, "its body is not here")
                }
                let block = try Block(
                    headerBytes: head.headerBytes, body: read.array(8), deviceSignature: head.deviceSignature,
                    officerSignature: head.officerSignature, detached: read.array(11))
                if place.isApplied { _ = try core.births.open(block, channel: place.channel) }
                try checkErasures(block, place, name, &report)
            } catch let error as ProtocolError {
                areReadable = false
                report.add("\(name) is damaged: \(error.message)")
            }
            steps.step()
        }
    }

    private mutating func problems(_ block: BlockHead, _ place: Place) throws -> [String] {
        var problems: [String] = []
        if block.hash.bytes != place.hash { problems.append("has another hash than the one it is kept under") }
        let header = block.header
        if header.channel != core.channels.name(place.channel) || header.firstCounter != place.firstCounter
            || Int(header.count) != place.count
        {
            problems.append("is kept under another channel or counter than its own")
        }
        if let problem = try linkProblem(header, place) { problems.append(problem) }
        if let problem = try signatureProblem(block, place) { problems.append(problem) }
        return problems
    }

    private func checkErasures(
        _ block: Block, _ place: Place, _ name: String, _ report: inout VerifyReport
    ) throws {
        // What waits may be of a format that is not known here.
        guard !block.detached.isEmpty, let body = try? core.codec.open(block) else { return }
        let (erased, problems) = try ErasureVerifier(core: core).check(block, body)
        report.erasedValues += erased
        for problem in problems { report.add("\(name) \(problem)") }
    }

    private func linkProblem(_ header: BlockHeader, _ place: Place) throws -> String? {
        guard let number = place.branch else { return place.isApplied ? "is merged and on no line of blocks" : nil }
        guard let branch = core.index.branch(number), branch.replica == header.replica, branch.channel == place.channel
        else { return "stands on the line of another replica or channel" }
        guard header.previous != .zero else {
            return branch.parent == nil && branch.first == 1 ? nil : "begins a line that has an earlier part"
        }
        guard let previous = try core.index.block(hash: header.previous) else {
            return place.isApplied ? "follows a block that is not here" : nil
        }
        let isSame = previous.branch == number
        let isFork = branch.parent == previous.branch && branch.first == header.firstCounter
        guard isSame || isFork, previous.last &+ 1 == header.firstCounter, previous.isApplied || !place.isApplied else {
            return "does not continue the block before it"
        }
        return nil
    }

    /// A store knows its own key's replica only from the centre's registry, so before its first exchange there is
    /// nothing to check its own blocks by.
    private mutating func signatureProblem(_ block: BlockHead, _ place: Place) throws -> String? {
        let replica = block.header.replica
        if keys[replica] == nil { keys[replica] = try RegistryTable(sql: core.sql).deviceKey(of: replica) }
        guard let key = keys[replica] else {
            let mayBeUnknown = ownReplicas.contains(replica) && !place.isAccepted
            return mayBeUnknown ? nil : "is by replica \(replica), which is not in the registry"
        }
        do { try block.verify(deviceKey: key) } catch { return "bears a signature that is not its device's" }
        return nil
    }
}
