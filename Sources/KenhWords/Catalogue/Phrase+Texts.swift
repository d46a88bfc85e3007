extension Phrase {
    /// The phrase in every language; both have the same placeholders.
    public var text: Bilingual { thing ?? itemState ?? reviewState ?? method ?? overview }

    private var thing: Bilingual? {
        switch self {
        case .unit: Bilingual("Đơn vị", "Unit")
        case .subPlan: Bilingual("Kế hoạch con", "Sub-plan")
        case .target: Bilingual("Chỉ tiêu", "Target")
        case .workItem: Bilingual("Đầu việc", "Work item")
        case .review: Bilingual("Sơ kết", "Review")
        case .progressEntry: Bilingual("Số liệu tiến độ", "Progress entry")
        case .transition: Bilingual("Chuyển trạng thái", "Transition")
        case .title: Bilingual("Tiêu đề", "Title")
        case .due: Bilingual("Hạn", "Due")
        case .accountable: Bilingual("Người chịu trách nhiệm", "Accountable")
        case .period: Bilingual("Kỳ", "Period")
        case .state: Bilingual("Trạng thái", "State")
        case .committee: Bilingual("Đảng ủy", "Committee")
        case .inspection: Bilingual("Ủy ban Kiểm tra", "Inspection committee")
        case .cell: Bilingual("Chi bộ", "Cell")
        case .department: Bilingual("Phòng, khoa", "Department")
        default: nil
        }
    }

    private var itemState: Bilingual? {
        switch self {
        case .statePlanned: Bilingual("Dự kiến", "Planned")
        case .stateDoing: Bilingual("Đang làm", "Doing")
        case .stateWaiting: Bilingual("Đang chờ", "Waiting")
        case .stateDone: Bilingual("Đã xong", "Done")
        case .stateVerified: Bilingual("Đã nghiệm thu", "Verified")
        case .stateReturned: Bilingual("Trả lại", "Returned")
        case .stateCancelled: Bilingual("Đã hủy", "Cancelled")
        case .stateReopened: Bilingual("Mở lại", "Reopened")
        default: nil
        }
    }

    private var reviewState: Bilingual? {
        switch self {
        case .reviewOpen: Bilingual("Chưa lập", "Open")
        case .reviewDrafted: Bilingual("Đã dự thảo", "Drafted")
        case .reviewHeld: Bilingual("Đã họp", "Held")
        case .reviewSubmitted: Bilingual("Đã nộp", "Submitted")
        case .reviewAccepted: Bilingual("Đã tiếp nhận", "Accepted")
        case .reviewReturned: Bilingual("Trả lại", "Returned")
        case .reviewLocked: Bilingual("Đã khóa", "Locked")
        case .onTime: Bilingual("Đúng hạn", "On time")
        case .late: Bilingual("Trễ hạn", "Late")
        case .missing: Bilingual("Còn thiếu", "Missing")
        case .pending: Bilingual("Chưa đến hạn", "Not due yet")
        default: nil
        }
    }

    private var method: Bilingual? {
        switch self {
        case .methodSum: Bilingual("Tổng", "Sum")
        case .methodWeightedAverage: Bilingual("Trung bình có trọng số", "Weighted average")
        case .methodRatio: Bilingual("Tỷ lệ", "Ratio")
        case .methodLatest: Bilingual("Mới nhất", "Latest")
        case .methodMilestone: Bilingual("Theo mốc", "Milestone")
        case .methodMinimum: Bilingual("Thấp nhất", "Minimum")
        default: nil
        }
    }

    private var overview: Bilingual {
        switch self {
        case .overviewTitle: Bilingual("Tiến độ đến ngày {date}", "Progress as of {date}")
        case .reviewsTitle: Bilingual("Sơ kết hằng tháng, {from} đến {to}", "Monthly reviews, {from} to {to}")
        case .illustrative: Bilingual("số liệu minh họa", "illustrative figures")
        case .items: Bilingual("Số việc", "Items")
        case .donePercent: Bilingual("% xong", "% done")
        case .entries: Bilingual("Số liệu", "Entries")
        case .contested: Bilingual("Cần xem", "To look at")
        case .total: Bilingual("Cộng", "Total")
        case .nothingYet: Bilingual("Chưa có gì.", "Nothing yet.")
        case .contestedItem:
            Bilingual(
                "{item}: các đơn vị ghi khác nhau ({states}); đang hiện “{shown}”",
                "{item}: units wrote different states ({states}); shown is “{shown}”")
        default: Bilingual("", "")
        }
    }
}
