import KenhStore

/// A change of the played month that a cell makes through the store.
public enum DemoChange: Sendable {
    case insert(DemoRow)
    case update(String, id: String, [(column: String, value: Value)])
    case delete(String, id: String)
    /// To the state named, or where there is none one step forward from what the store shows; final items stay.
    case moveItem(Move<ItemState>, id: String, onward: Bool)
    case moveReview(Move<ReviewState>, id: String)

    package func apply(to transaction: StoreTransaction) throws {
        switch self {
        case .insert(let row): try row.insert(into: transaction)
        case .update(let table, let id, let values):
            try transaction.update(table, id: .text(id), values.map { ($0.column, $0.value) })
        case .delete(let table, let id): try transaction.delete(table, id: .text(id))
        case .moveReview(let move, let id): try move.write(to: transaction, id: id)
        case .moveItem(let move, let id, onward: false): try move.write(to: transaction, id: id)
        case .moveItem(let move, let id, onward: true):
            guard let next = try move.shown(in: transaction).state.onward else { return }
            try move.to(next).write(to: transaction, id: id)
        }
    }
}

extension ItemState {
    /// Where work in this state usually goes next; nil where it is over.
    var onward: ItemState? {
        switch self {
        case .planned, .waiting, .returned, .reopened: .doing
        case .doing: .done
        case .done: .verified
        case .verified, .cancelled: nil
        }
    }
}
