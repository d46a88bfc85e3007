import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore

extension FuzzTarget {
    /// The centre's log with damage, and the requests that come all the same.
    static let centre = FuzzTarget("centre", seeds: { CentreFuzz.seeds }) { bytes in
        var input = FuzzInput(bytes)
        let folder = try ScratchFolder()
        try StoreDamage.damage(HubWorld.shared.logFile, as: "log.db", in: folder, by: &input)
        guard let hub = try? HubWorld.open(folder) else { return }
        for _ in 0..<(2 + input.below(4)) { try CentreFuzz.ask(hub, &input) }
    }
}

private enum CentreFuzz {
    static func ask(_ hub: Hub, _ input: inout FuzzInput) throws {
        let device = input.below(3)
        do {
            switch input.below(4) {
            case 0: _ = try hub.sync(HubWorld.upload([], device: device, withOwn: true), from: HubWorld.device(device))
            case 1:
                var lanes = HostileLanes()
                for (number, block) in HubWorld.shared.blocks.enumerated() { lanes.add(block, device: number / 2) }
                let blocks = try lanes.block(&input, device: device).map { [$0] } ?? []
                _ = try hub.sync(HubWorld.upload(blocks, device: device), from: HubWorld.device(device))
            case 2: _ = try hub.enroll(HubWorld.request(input.pick(HubWorld.shared.codes), device: device))
            default:
                _ = try hub.device(FuzzWorld.devices[device].publicKey.bytes)
                try hub.addCell(code: "D", name: "Cell D")
                _ = try hub.issueCode(cell: "A")
            }
        } catch is StoreError {} catch is ProtocolError {} catch is HubError {}
    }

    static var seeds: [[UInt8]] {
        [
            [0, 0, 3, 0, 0, 1, 4, 0, 8, 0], [0, 1, 1, 3, 2, 0, 0xf1, 0, 1, 0], [2, 0, 2, 3, 1, 0, 0xf0, 1, 0, 1, 0, 2],
            [3, 2, 0, 16, 0, 1, 255, 0, 1, 2, 2, 3],
        ]
    }
}
