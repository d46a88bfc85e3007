/// A sub-plan of the demo organisation. Who carries what is the same for every seed, so that a played month fits any
/// organisation.
struct DemoPlan: Sendable {
    let code: String
    /// The first clause of the plan's title in the source document: the part that is counted here.
    let title: String
    let isBreakthrough: Bool
    /// The cells that carry it, in the order in which they take its items.
    let carriers: [String]
    let itemCount: Int
    /// Titles of work items; `{k}` is the quarter.
    let titles: [String]

    static let all = [
        DemoPlan(
            code: "KH1", title: "Kế hoạch nâng cao chất lượng sinh hoạt đảng", isBreakthrough: true,
            carriers: ["CB1", "CB2", "CB3", "CB4", "CB5"], itemCount: 24, titles: DemoTitles.meetings),
        DemoPlan(
            code: "KH2", title: "Kế hoạch nâng cao chất lượng công tác tuyên truyền", isBreakthrough: false,
            carriers: ["CB1", "CB3", "CB4", "CB5"], itemCount: 24, titles: DemoTitles.information),
        DemoPlan(
            code: "KH3", title: "Kế hoạch xây dựng đội ngũ giảng viên", isBreakthrough: true,
            carriers: ["CB2", "CB3", "CB4", "CB5"], itemCount: 24, titles: DemoTitles.lecturers),
        DemoPlan(
            code: "KH4", title: "Kế hoạch nâng cao chất lượng công tác quản lý đào tạo và nghiên cứu khoa học",
            isBreakthrough: false, carriers: ["CB2", "CB3", "CB4", "CB5"], itemCount: 22, titles: DemoTitles.training),
        DemoPlan(
            code: "KH5", title: "Kế hoạch xây dựng “Trường Chính trị chuẩn”", isBreakthrough: true,
            carriers: ["CB1", "CB2", "CB3", "CB4", "CB5"], itemCount: 22, titles: DemoTitles.standard),
        DemoPlan(
            code: "KH6", title: "Kế hoạch tổ chức các cuộc sinh hoạt chuyên đề, tọa đàm, hội thảo",
            isBreakthrough: false, carriers: ["CB3", "CB2", "CB1", "CB4", "CB5"], itemCount: 24,
            titles: DemoTitles.seminars),
    ]
}
