import KenhWords

/// CB4's month as somebody with nothing but the sqlite3 command would type it.
extension DemoCellScript {
    func sqlSteps() -> [DemoStep] {
        var random = SeededRandom(seed: ~seed)
        return [
            sql(
                16, "CB4 dời hạn các đầu việc tuyên truyền bằng một câu lệnh SQL",
                "CB4 moves the due dates of its KH2 items by one UPDATE", postpone(&random)),
            sql(
                17, "CB4 sửa trọng số của các đầu việc đang theo dõi",
                "CB4 changes the weights of the items that it follows", weigh(&random)),
            sql(20, "CB4 báo xong một đầu việc", "CB4 reports an item as done", finish(DemoItem.plainSQL[0], day: 20)),
            sql(
                22, "CB4 ghi hai số liệu tiến độ, để cơ sở dữ liệu tự đặt mã",
                "CB4 records two progress entries without giving ids", record(&random)),
            sql(24, "CB4 dự thảo sơ kết tháng 6/2022", "CB4 drafts the review of June 2022", draft(&random)),
            sql(
                27, "CB4 báo xong thêm một đầu việc", "CB4 reports another item as done",
                finish(DemoItem.plainSQL[1], day: 27)),
            sql(
                30, "CB4 bổ sung và nộp sơ kết tháng 6/2022", "CB4 completes and submits the review of June 2022",
                submit(&random)),
        ]
    }

    private func sql(_ day: Int, _ vietnamese: String, _ english: String, _ text: String) -> DemoStep {
        DemoStep(
            cell, DemoMonth.day(day), officer: secretary, Bilingual(vietnamese, english),
            sql: "BEGIN IMMEDIATE;\n\(text)\nCOMMIT;\n")
    }

    private func postpone(_ random: inout SeededRandom) -> String {
        let due = DemoMonth.period.last.adding(days: random.within(5...45))
        return """
            UPDATE work_item SET due = '\(due)', description = description || ' Gia hạn vì chờ tư liệu.'
             WHERE unit = 'CB4' AND sub_plan = 'KH2' AND start >= '2022-01-01';
            """
    }

    private func weigh(_ random: inout SeededRandom) -> String {
        items.map { item in
            "UPDATE work_item SET weight = \(random.within(1...5)).0 WHERE id = \(quoted(item.id));"
        }.joined(separator: "\n")
    }

    /// The item is pinned as `doing`, so its latest transition is its first.
    private func finish(_ item: String, day: Int) -> String {
        let channel = Programme.channel(plan: String(item.prefix { $0 != "/" }))
        return """
            INSERT INTO transition
                (id, channel, subject_kind, subject, from_state, to_state, reason, effective_date, actor, after)
            VALUES ('\(item)/CB4/\(DemoMonth.day(day))', '\(channel)', 'work_item', '\(item)', 'doing', 'done',
                    'Đã đủ sản phẩm theo yêu cầu.', '\(DemoMonth.day(day))', '\(secretary)', '\(item)/t1');
            """
    }

    private func record(_ random: inout SeededRandom) -> String {
        DemoItem.plainSQL.suffix(2).map { item in
            let percent = random.within(8...19) * 5
            return """
                INSERT INTO progress_entry (channel, item, unit, period, as_of, value, note)
                VALUES ('plan/KH2', '\(item)', 'CB4', '2022-06', '2022-06-22', \(percent).0,
                        \(quoted(DemoPhrases.progress(percent))));
                """
        }.joined(separator: "\n")
    }

    private func draft(_ random: inout SeededRandom) -> String {
        let planned = random.within(4...8)
        let results = DemoPhrases.results(done: random.within(2...4), of: planned)
        return """
            INSERT INTO review (id, channel, unit, kind, period, due, results, shortcomings, items_planned)
            VALUES ('\(reviewID)', '\(reviewChannel)', 'CB4', 'month', '2022-06', '\(DemoMonth.period.reviewDue)',
                    \(quoted(results)), \(quoted(random.one(of: DemoPhrases.shortcomings))), \(planned));
            \(reviewMove(.open, .drafted, day: 24))
            """
    }

    /// An upsert over the draft.
    private func submit(_ random: inout SeededRandom) -> String {
        """
        INSERT INTO review (id, channel, unit, kind, period, due, next_steps, items_done)
        VALUES ('\(reviewID)', '\(reviewChannel)', 'CB4', 'month', '2022-06', '\(DemoMonth.period.reviewDue)',
                \(quoted(random.one(of: DemoPhrases.nextSteps))), \(random.within(2...4)))
        ON CONFLICT (id) DO UPDATE SET next_steps = excluded.next_steps, items_done = excluded.items_done;
        \(reviewMove(.drafted, .held, day: 30))
        \(reviewMove(.held, .submitted, day: 30))
        """
    }

    private func reviewMove(_ from: ReviewState, _ to: ReviewState, day: Int) -> String {
        let after = from == .open ? "NULL" : "'\(reviewID)/\(from.rawValue)'"
        return """
            INSERT INTO transition
                (id, channel, subject_kind, subject, from_state, to_state, effective_date, actor, after)
            VALUES ('\(reviewID)/\(to.rawValue)', '\(reviewChannel)', 'review', '\(reviewID)', '\(from.rawValue)',
                    '\(to.rawValue)', '\(DemoMonth.day(day))', '\(secretary)', \(after));
            """
    }

    private func quoted(_ text: String) -> String {
        "'" + text.nfc.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    }
}
