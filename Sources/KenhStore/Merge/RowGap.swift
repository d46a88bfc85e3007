/// Ids of one table between which `kenh_row` has no row.
///
/// Rows are merged and sealed in the order of their ids, so one look at the next id that is there says of all new ones
/// before it that they are new. Holds within one transaction.
struct RowGap {
    private var table = 0
    /// Both ends are outside.
    private var low: [UInt8] = []
    private var high: [UInt8] = []
    private var isEndless = false

    func contains(_ id: UnsafeRawBufferPointer, of table: Int) -> Bool {
        table == self.table && low.withUnsafeBytes { IDOrder.compare($0, id) < 0 }
            && (isEndless || high.withUnsafeBytes { IDOrder.compare(id, $0) < 0 })
    }

    /// Nothing lies between `id` and `next`, or beyond `id` where there is no next one.
    mutating func open(_ table: Int, after id: UnsafeRawBufferPointer, before next: UnsafeRawBufferPointer?) {
        self.table = table
        Self.replace(&low, by: id)
        isEndless = next == nil
        if let next { Self.replace(&high, by: next) }
    }

    /// A row with this id is there now.
    mutating func narrow(to id: UnsafeRawBufferPointer, of table: Int) {
        if contains(id, of: table) { Self.replace(&low, by: id) }
    }

    private static func replace(_ bytes: inout [UInt8], by new: UnsafeRawBufferPointer) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: new)
    }
}
