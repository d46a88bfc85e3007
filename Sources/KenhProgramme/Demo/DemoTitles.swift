/// Titles of work items as countable outputs of the organisation; `{k}` is the quarter.
enum DemoTitles {
    static let meetings = [
        "Chuẩn bị nội dung sinh hoạt chi bộ định kỳ {k}",
        "Sinh hoạt chuyên đề chi bộ {k}",
        "Xây dựng lịch sinh hoạt chi bộ {k}",
        "Rà soát biên bản, nghị quyết chi bộ {k}",
        "Bồi dưỡng nghiệp vụ công tác đảng cho chi ủy {k}",
        "Chuẩn bị nội dung họp chi ủy {k}",
        "Cập nhật sổ theo dõi nghị quyết chi bộ {k}",
        "Trao đổi kinh nghiệm tổ chức sinh hoạt giữa các chi bộ {k}",
        "Chuẩn hóa mẫu biên bản sinh hoạt chi bộ {k}",
        "Tổng hợp kết quả sinh hoạt chi bộ {k}",
        "Tổ chức về nguồn gắn với sinh hoạt chuyên đề {k}",
        "Sơ kết thực hiện quy chế làm việc của chi ủy {k}",
    ]

    static let information = [
        "Đăng tin, bài trên trang thông tin điện tử của trường {k}",
        "Biên tập bản tin nội bộ {k}",
        "Tổ chức thông tin thời sự {k}",
        "Cập nhật chuyên mục học tập trên trang thông tin điện tử {k}",
        "Tuyên truyền các ngày lễ lớn {k}",
        "Giới thiệu sách, tài liệu mới của thư viện {k}",
        "Xây dựng bộ tài liệu tuyên truyền nghị quyết {k}",
        "Viết bài cho tạp chí, kỷ yếu {k}",
        "Tổ chức hội nghị phổ biến nghị quyết {k}",
        "Làm mới bảng tin, pa-nô {k}",
        "Trao đổi tin, bài với các đơn vị bạn {k}",
        "Tổng hợp kết quả công tác tuyên truyền {k}",
    ]

    static let lecturers = [
        "Thao giảng cấp khoa {k}",
        "Dự giờ, góp ý bài giảng {k}",
        "Cử giảng viên tham gia lớp bồi dưỡng nghiệp vụ {k}",
        "Biên soạn, cập nhật giáo án {k}",
        "Tổ chức nghiên cứu thực tế tại cơ sở {k}",
        "Bồi dưỡng phương pháp giảng dạy tích cực {k}",
        "Hỗ trợ giảng viên trẻ soạn bài giảng {k}",
        "Cập nhật kế hoạch đào tạo sau đại học {k}",
        "Bồi dưỡng tin học, ngoại ngữ cho giảng viên {k}",
        "Chuẩn bị hội thi giảng viên dạy giỏi {k}",
        "Xây dựng ngân hàng câu hỏi thảo luận {k}",
        "Tổng hợp giờ giảng của các khoa {k}",
    ]

    static let training = [
        "Lập lịch giảng dạy {k}",
        "Tuyển sinh lớp trung cấp lý luận chính trị {k}",
        "Nghiệm thu đề tài khoa học cấp cơ sở {k}",
        "Rà soát hồ sơ đào tạo {k}",
        "Cập nhật sổ điểm và hồ sơ lớp {k}",
        "Xây dựng ngân hàng đề thi {k}",
        "Tổ chức thi, chấm thi hết phần học {k}",
        "Khảo sát nhu cầu mở lớp bồi dưỡng {k}",
        "Xuất bản nội san khoa học {k}",
        "Đăng ký đề tài, sáng kiến {k}",
        "Tổ chức lớp bồi dưỡng ngạch chuyên viên {k}",
        "Báo cáo công tác đào tạo, bồi dưỡng {k}",
    ]

    static let standard = [
        "Rà soát tiêu chí Trường Chính trị chuẩn {k}",
        "Thu thập minh chứng về cơ sở vật chất {k}",
        "Thu thập minh chứng về đội ngũ {k}",
        "Thu thập minh chứng về hoạt động đào tạo {k}",
        "Nâng cấp phòng học, hội trường {k}",
        "Cập nhật đề án Trường Chính trị chuẩn {k}",
        "Số hóa tài liệu thư viện {k}",
        "Hoàn thiện quy chế, quy định nội bộ {k}",
        "Chỉnh trang cảnh quan, khuôn viên trường {k}",
        "Trang bị thiết bị dạy học {k}",
        "Học tập kinh nghiệm xây dựng trường chuẩn {k}",
        "Tự đánh giá theo bộ tiêu chí {k}",
    ]

    static let seminars = [
        "Hội thảo liên chi bộ về đổi mới phương pháp giảng dạy {k}",
        "Tọa đàm khoa học cấp khoa {k}",
        "Sinh hoạt chuyên đề về phương pháp nghiên cứu {k}",
        "Tọa đàm trao đổi nghiệp vụ giữa các khoa {k}",
        "Biên tập kỷ yếu hội thảo {k}",
        "Mời báo cáo viên chuyên đề {k}",
        "Hội thảo liên kết với trường bạn {k}",
        "Sinh hoạt chuyên đề đọc tác phẩm kinh điển {k}",
        "Tọa đàm cập nhật kiến thức pháp luật {k}",
        "Hội thảo về chuyển đổi số trong đào tạo {k}",
        "Sinh hoạt câu lạc bộ nghiên cứu khoa học {k}",
        "Tổng hợp kết quả tọa đàm, hội thảo {k}",
    ]
}
