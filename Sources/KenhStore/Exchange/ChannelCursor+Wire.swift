import Foundation
import KenhMerge
import KenhProtocol

extension ChannelCursor {
    public var wire: WireCursor {
        var wire = WireCursor()
        wire.channel = channel
        wire.epoch = Data(epoch)
        wire.sequence = sequence
        wire.covered = isCovered
        wire.logHash = Data(logHash.bytes)
        return wire
    }
}
