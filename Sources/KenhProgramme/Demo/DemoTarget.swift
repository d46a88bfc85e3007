/// A target of the demo organisation.
struct DemoTarget: Sendable {
    let code: String
    let title: String
    let measure: String
    let direction: String
    let method: RollUpMethod
    let baseline: Double
    let goal: Double
    /// The sub-plan through which the units report it.
    let plan: String

    static let all = [
        target("CT1", "Tỷ lệ buổi sinh hoạt chi bộ đúng định kỳ", "%", .ratio, 92, 100, "KH1"),
        target("CT2", "Số buổi sinh hoạt chuyên đề của các chi bộ", "buổi", .sum, 12, 100, "KH1"),
        target("CT3", "Số tin, bài được đăng", "bài", .sum, 40, 300, "KH2"),
        target("CT4", "Số đề tài, sáng kiến được nghiệm thu", "đề tài", .sum, 3, 15, "KH4"),
        target("CT5", "Tỷ lệ giảng viên có trình độ thạc sĩ trở lên", "%", .ratio, 70, 90, "KH3"),
        target("CT6", "Điểm trung bình thao giảng", "điểm", .weightedAverage, 7.5, 8.5, "KH3"),
        target("CT7", "Số giảng viên đạt chuẩn nghiệp vụ sư phạm", "người", .latest, 14, 28, "KH3"),
        target("CT8", "Mức hoàn thành tiêu chí Trường Chính trị chuẩn", "%", .milestone, 20, 100, "KH5"),
        target("CT9", "Số tọa đàm, hội thảo mỗi đơn vị tổ chức ít nhất", "cuộc", .minimum, 1, 4, "KH6"),
        target("CT10", "Tỷ lệ hồ sơ đào tạo hoàn thành chậm", "%", .ratio, 12, 3, "KH4", direction: "down"),
    ]

    private static func target(
        _ code: String, _ title: String, _ measure: String, _ method: RollUpMethod, _ baseline: Double, _ goal: Double,
        _ plan: String, direction: String = "up"
    ) -> DemoTarget {
        DemoTarget(
            code: code, title: title, measure: measure, direction: direction, method: method, baseline: baseline,
            goal: goal, plan: plan)
    }
}
