import KenhProtocol
import KenhTesting
import Testing

/// Which channels a sync has to look at.
@Suite("Channels to read") struct ChannelsToReadTests {
    private static let channels = ["a", "ab", "ab/1", "ab/2", "b", "plan/A", "plan/B", "z", ChannelName.registry]
    private static let patterns = ["a", "ab/*", "ab*", "plan/*", "plan/A", "z", "*"]

    private func rights(_ random: inout SeededGenerator) -> Rights {
        let count = Int(random.next() % 6)
        let grants = (0..<count).map { number in
            Grant(
                cell: random.pick(["CB1", "CB2", "*"]) ?? "*", channel: random.pick(Self.patterns) ?? "*",
                role: random.pick(["none", "reader", "writer", "some", "undefined"]) ?? "none",
                statedAtMilliseconds: Int64(number))
        }
        return Rights(grants: grants, roles: [Role(name: "some", rights: ["item": .update])])
    }

    @Test("leave out none that the cell may read, and few that it may not", arguments: 0..<500)
    func complete(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rights = rights(&random)
        guard let among = rights.channelsToRead(by: "CB1") else { return }
        for channel in Self.channels where rights.role(of: "CB1", in: channel).reads {
            let isCovered = among.contains {
                Grant(cell: "*", channel: $0, role: "reader").covers(cell: "CB1", channel: channel)
            }
            #expect(isCovered, "\(channel) by \(rights)")
        }
    }

    @Test("are all where nothing closes the organisation, and its own where something does")
    func closed() {
        let closing = Grant(cell: "*", channel: "*", role: "none")
        let own = Grant(cell: "CB1", channel: "plan/A", role: "writer")
        #expect(Rights(grants: [own]).channelsToRead(by: "CB1") == nil)
        #expect(Rights(grants: [closing, own]).channelsToRead(by: "CB1") == ["plan/A", ChannelName.registry])
        #expect(Rights(grants: [closing, own]).channelsToRead(by: "CB2") == [ChannelName.registry])
        #expect(Rights(grants: [closing]).channelsToRead(by: "") == nil, "the centre's own device")
    }
}
