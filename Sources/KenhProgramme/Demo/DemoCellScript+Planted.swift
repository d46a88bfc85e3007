import KenhStore
import KenhWords

extension DemoCellScript {
    /// What collides with another cell, on 20 June.
    func plantedStep(_ random: inout SeededRandom) -> DemoStep? {
        switch cell {
        case "CB1": jointReviewStep(&random, adding: [.delete("work_item", id: DemoItem.disputed)])
        case "CB2": reopenStep(&random)
        case "CB3": closeStep(&random)
        case "CB5": jointReviewStep(&random, adding: [disputedEdit(&random)])
        default: nil
        }
    }

    private func planted(_ words: Bilingual, _ changes: [DemoChange]) -> DemoStep {
        DemoStep(cell, DemoMonth.day(20), officer: secretary, words, changes)
    }

    private func closeStep(_ random: inout SeededRandom) -> DemoStep {
        let words = Bilingual(
            "CB3 sửa tên hội thảo liên chi bộ và xác nhận đã nghiệm thu",
            "CB3 renames the joint seminar and closes it as verified")
        let topic = random.one(of: [
            "phương pháp giảng dạy tích cực", "giảng dạy kết hợp trực tuyến", "đổi mới đánh giá",
        ])
        return planted(
            words,
            [
                seminarEdit(title: "Hội thảo liên chi bộ: \(topic)", seat: random.within(2...7)),
                seminarMove(.verified, reason: "Đã đủ kỷ yếu và biên bản."),
            ])
    }

    private func reopenStep(_ random: inout SeededRandom) -> DemoStep {
        let words = Bilingual(
            "CB2 sửa tên hội thảo liên chi bộ và mở lại để bổ sung tham luận",
            "CB2 renames the joint seminar and reopens it for more papers")
        let count = random.within(3...9)
        return planted(
            words,
            [
                seminarEdit(title: "Hội thảo liên chi bộ, bổ sung \(count) tham luận", seat: random.within(2...7)),
                seminarMove(.reopened, reason: "Bổ sung \(count) tham luận."),
            ])
    }

    private func seminarEdit(title: String, seat: Int) -> DemoChange {
        .update(
            "work_item", id: DemoItem.jointSeminar,
            [("title", .entered(title)), ("accountable", .text(DemoUnit.seat(of: cell, seat)))])
    }

    private func seminarMove(_ state: ItemState, reason: String) -> DemoChange {
        let date = DemoMonth.day(20).description
        let move = Move(
            DemoItem.jointSeminar, channel: Programme.channel(plan: "KH6"), to: state, date: date, actor: secretary,
            reason: reason)
        return .moveItem(move, id: "\(DemoItem.jointSeminar)/\(cell)/\(date)", onward: false)
    }

    private func disputedEdit(_ random: inout SeededRandom) -> DemoChange {
        .update(
            "work_item", id: DemoItem.disputed,
            [
                ("description", .entered("CB5 nhận phối hợp: \(random.within(2...6)) phòng học.")),
                ("due", .date(DemoMonth.day(30).adding(days: random.within(5...40)))),
            ])
    }

    private func jointReviewStep(_ random: inout SeededRandom, adding other: [DemoChange]) -> DemoStep {
        let date = DemoMonth.day(20)
        let row = DemoRow(
            "review", DemoMonth.jointReview, on: date,
            [
                ("channel", .text(Programme.channel(plan: "KH2"))), ("unit", .text("DU")), ("kind", "joint"),
                ("period", .text(DemoMonth.period.description)), ("due", .date(DemoMonth.period.reviewDue)),
                ("results", .entered("\(cell): đăng \(random.within(4...20)) tin, bài.")),
                ("shortcomings", .entered("\(cell): \(random.one(of: DemoPhrases.shortcomings))")),
                ("next_steps", .entered("\(cell): \(random.one(of: DemoPhrases.nextSteps))")),
            ])
        let words = Bilingual(
            cell == "CB1"
                ? "CB1 lập sơ kết chung của KH2 và xóa một đầu việc trùng của KH5"
                : "CB5 lập sơ kết chung của KH2 và sửa đầu việc mà CB1 đang xóa",
            cell == "CB1"
                ? "CB1 writes the joint review of KH2 and deletes a duplicate item of KH5"
                : "CB5 writes the joint review of KH2 and edits the item that CB1 is deleting")
        return planted(words, [.insert(row)] + other)
    }
}
