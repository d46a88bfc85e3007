import KenhStore

/// Sentences of the demo's texts; about tasks, documents and dates, never about persons.
enum DemoPhrases {
    static let outputs = [
        "Đầu ra: kế hoạch và báo cáo kết quả gửi Đảng ủy.",
        "Đầu ra: biên bản và danh mục tài liệu kèm theo.",
        "Đầu ra: hồ sơ lưu tại đơn vị, bản tổng hợp gửi Văn phòng Đảng ủy.",
        "Đầu ra: tài liệu đã duyệt và lịch thực hiện.",
        "Đầu ra: số liệu tổng hợp theo biểu mẫu.",
    ]

    static func reasons(for state: ItemState) -> [String?] {
        switch state {
        case .waiting:
            [
                "Chờ lịch sử dụng hội trường.", "Chờ kinh phí được duyệt.", "Chờ góp ý của các khoa.",
                "Chờ văn bản hướng dẫn.",
            ]
        case .returned: ["Hồ sơ thiếu phụ lục.", "Số liệu chưa khớp với biểu tổng hợp.", "Chưa có biên bản kèm theo."]
        case .cancelled:
            ["Gộp vào đầu việc khác.", "Điều chỉnh kế hoạch theo chỉ đạo mới.", "Hoãn do giãn cách xã hội."]
        case .reopened: ["Bổ sung nội dung theo yêu cầu của Đảng ủy.", "Phát sinh tài liệu cần cập nhật."]
        case .planned, .doing, .done, .verified: [nil]
        }
    }

    static let shortcomings = [
        "Một số hồ sơ nộp chậm so với lịch.", "Lịch họp còn trùng với lịch giảng.",
        "Biểu mẫu báo cáo chưa thống nhất giữa các đơn vị.", "Khâu chuẩn bị tài liệu còn gấp.",
        "Việc cập nhật số liệu lên hệ thống chưa đều.", "Không có việc tồn đọng.",
    ]

    static let nextSteps = [
        "Hoàn thành các đầu việc đến hạn trong tháng tới.", "Gửi tài liệu trước cuộc họp ít nhất ba ngày.",
        "Rà soát lại các đầu việc đang chờ.", "Thống nhất biểu mẫu với Văn phòng Đảng ủy.",
        "Phân công người theo dõi từng đầu việc quá hạn.",
    ]

    static func results(done: Int, of planned: Int) -> String { "Hoàn thành \(done)/\(planned) đầu việc trong tháng." }

    static func progress(_ percent: Int) -> String { "Hoàn thành \(percent)% khối lượng." }
}
