/// One thing that happens in a simulation at one moment of its time.
enum SimulationEvent {
    /// The next step of the plan.
    case step(Int)
    /// A request reaches the centre.
    case request(Sending)
    /// An answer reaches a cell, on the connection of the request that bears the number.
    case answer(Parcel, cell: Int, connection: UInt64, damage: Damage)
    /// A cell has waited long enough.
    case silence(cell: Int, connection: UInt64)
    /// The centre takes its own log in.
    case catchUp

    /// A request on its way.
    struct Sending {
        let cell: Int
        let parcel: Parcel
        /// Counts what the cell sent.
        let number: Int
        var damage = Damage.none
        /// The place of a block that was spoiled and everything around it put in order.
        var spoiledBlock: Int?
        /// Nobody waits for the answer.
        var isRepeated = false
    }

    enum Damage { case none, damaged, old }
}
