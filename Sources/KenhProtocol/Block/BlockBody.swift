import KenhMerge

/// A value inside a decoded body: a number, or where its bytes lie in the body's arena.
@frozen
public struct ValueRef: Sendable {
    public var payload: UInt64
    public var count: UInt32
    public var tag: Value.Tag

    @inlinable
    public init(_ tag: Value.Tag, payload: UInt64 = 0, count: UInt32 = 0) {
        self.tag = tag
        self.payload = payload
        self.count = count
    }
}

/// A table as a block names it.
public struct BodyTable: Sendable, Equatable {
    public let name: String
    public let idType: RowIDType
    public let columns: [String]
}

/// A change that names its row by the dot of the row's insert instead of by its id.
public struct NamedByBirth: Sendable, Equatable {
    public let change: Int
    /// On the block's own line below its first counter, or on a pin's line not above the pin.
    public let birth: WireDot

    public init(change: Int, birth: WireDot) {
        self.change = change
        self.birth = birth
    }
}

/// A decoded body. Everything in it has been checked against the format: references, kinds, masks and lengths are in
/// range, text is UTF-8 without NUL, reals are finite.
public struct BlockBody: Sendable {
    public internal(set) var tables: [BodyTable] = []
    public internal(set) var pins: [ReplicaPin] = []
    public internal(set) var kinds: [ChangeKind] = []
    public internal(set) var tableRefs: [UInt32] = []
    /// Where each id lies in the arena.
    public internal(set) var idStarts: [UInt32] = []
    /// 0 where the row is named by a birth dot and ``name(_:after:at:)`` has not found its id yet.
    public internal(set) var idLengths: [UInt32] = []
    /// Changes whose rows are named by birth dots, in ascending order.
    public internal(set) var births: [NamedByBirth] = []
    public internal(set) var clocks: [HybridClock] = []
    /// Bit i stands for column i of the change's table; 0 for a delete.
    public internal(set) var masks: [UInt64] = []
    /// `predecessors[predecessorStarts[i]..<predecessorStarts[i + 1]]` belong to change i.
    public internal(set) var predecessorStarts: [UInt32] = []
    public internal(set) var predecessors: [WireDot] = []
    /// `values[valueStarts[i]..<valueStarts[i + 1]]` belong to change i, in ascending column order.
    public internal(set) var valueStarts: [UInt32] = []
    public internal(set) var values: [ValueRef] = []
    public internal(set) var arena: [UInt8] = []
    /// Values that can be erased, in the order of the detached section.
    public internal(set) var committed: [CommittedValue] = []

    public var count: Int { kinds.count }

    public func predecessors(of change: Int) -> ArraySlice<WireDot> {
        predecessors[Int(predecessorStarts[change])..<Int(predecessorStarts[change + 1])]
    }

    public func values(of change: Int) -> ArraySlice<ValueRef> {
        values[Int(valueStarts[change])..<Int(valueStarts[change + 1])]
    }

    public func id(of change: Int) -> ArraySlice<UInt8> {
        arena[Int(idStarts[change])..<Int(idStarts[change] + idLengths[change])]
    }

    public func value(_ ref: ValueRef) -> Value {
        switch ref.tag {
        case .null, .commitment: .null
        case .integer: .integer(Int64(bitPattern: ref.payload))
        case .real: .real(Double(bitPattern: ref.payload))
        case .text: .text(Array(arena[Int(ref.payload)..<Int(ref.payload) + Int(ref.count)]))
        case .blob: .blob(Array(arena[Int(ref.payload)..<Int(ref.payload) + Int(ref.count)]))
        }
    }
}
