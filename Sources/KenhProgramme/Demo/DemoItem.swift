import KenhWords

/// What of a work item of the demo is the same for every seed: its id, title, unit and quarter.
struct DemoItem: Sendable, Hashable {
    let id: String
    let plan: String
    let unit: String
    let title: String
    let year: Int
    let quarter: Int
    /// A state that the played month builds on, or that is to be seen in any organisation.
    let pinned: ItemState?

    var channel: String { Programme.channel(plan: plan) }
    var start: CivilDate { Month(year, quarter * 3 - 2).first }
    var end: CivilDate { Month(year, quarter * 3).last }

    static let all = DemoPlan.all.flatMap { plan in (0..<plan.itemCount).map { item(plan, $0) } }

    /// Both cells of the planted case write it.
    static let jointSeminar = "KH6/01"
    /// One cell deletes it while another edits it.
    static let disputed = "KH5/21"
    /// CB4 writes these by plain SQL.
    static let plainSQL = ["KH2/15", "KH2/19", "KH2/23"]

    private struct Pin {
        let state: ItemState
        var year = 2022
        var quarter = 2
    }

    private static let pins = [
        jointSeminar: Pin(state: .done), disputed: Pin(state: .planned, quarter: 3),
        plainSQL[0]: Pin(state: .doing), plainSQL[1]: Pin(state: .doing), plainSQL[2]: Pin(state: .doing),
        "KH3/13": Pin(state: .returned, quarter: 1), "KH4/14": Pin(state: .reopened, quarter: 1),
        "KH5/05": Pin(state: .cancelled, year: 2021, quarter: 4), "KH6/14": Pin(state: .waiting),
    ]

    private static func item(_ plan: DemoPlan, _ index: Int) -> DemoItem {
        let number = index + 1
        let id = "\(plan.code)/\(number < 10 ? "0" : "")\(number)"
        let pin = pins[id]
        let (year, quarter) = pin.map { ($0.year, $0.quarter) } ?? period(index, of: plan.titles.count)
        let name = "quý \(roman[quarter - 1])/\(year)"
        let title = plan.titles[index % plan.titles.count].split(separator: "{k}", omittingEmptySubsequences: false)
        return DemoItem(
            id: id, plan: plan.code, unit: plan.carriers[index % plan.carriers.count],
            title: title.joined(separator: name), year: year, quarter: quarter, pinned: pin?.state)
    }

    static let roman = ["I", "II", "III", "IV"]

    /// The first time through the titles in 2020-Q4 to 2021-Q4, the second in 2022.
    private static func period(_ index: Int, of count: Int) -> (year: Int, quarter: Int) {
        // Shifted at each round of the carriers, so that no unit gets the same quarter always.
        guard index < count else { return (2022, (index + index / 4) % 4 + 1) }
        let late = index % 5
        return late == 0 ? (2020, 4) : (2021, late)
    }
}
