/// A unit of the demo organisation; people are seats of it, known by alias only.
struct DemoUnit: Sendable {
    let code: String
    let name: String
    let kind: String
    let parent: String?
    /// Before the number in the alias of a seat.
    let seatPrefix: String
    let seatCount: Int

    static let committee = DemoUnit(
        code: "DU", name: "Đảng ủy Trường Chính trị (số liệu minh họa)", kind: "committee", parent: nil,
        seatPrefix: "ĐUV", seatCount: 7)
    static let inspection = DemoUnit(
        code: "UBKT", name: "Ủy ban Kiểm tra Đảng ủy", kind: "inspection", parent: "DU", seatPrefix: "UBKT",
        seatCount: 3)
    /// 38 seats in all.
    static let cells = [
        cell("CB1", "Chi bộ Tổ chức – Hành chính – Thông tin – Tư liệu", 8),
        cell("CB2", "Chi bộ Quản lý đào tạo và nghiên cứu khoa học", 8),
        cell("CB3", "Chi bộ Lý luận cơ sở", 8),
        cell("CB4", "Chi bộ Xây dựng Đảng", 7),
        cell("CB5", "Chi bộ Nhà nước và pháp luật", 7),
    ]
    static let all = [committee, inspection] + cells

    private static func cell(_ code: String, _ name: String, _ seats: Int) -> DemoUnit {
        DemoUnit(code: code, name: name, kind: "cell", parent: "DU", seatPrefix: code, seatCount: seats)
    }

    /// Such as `CB3-04`, counted from 1; a number beyond the last seat begins again.
    func seat(_ number: Int) -> String {
        let number = (max(number, 1) - 1) % seatCount + 1
        return "\(seatPrefix)-\(number < 10 ? "0" : "")\(number)"
    }

    static func seat(of cell: String, _ number: Int) -> String {
        (cells.first { $0.code == cell } ?? committee).seat(number)
    }
}
