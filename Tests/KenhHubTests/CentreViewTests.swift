import Foundation
import KenhHub
import KenhMerge
import KenhProtocol
import KenhStore
import Testing

@Suite struct CentreViewTests {
    private let fixture: HubFixture
    private let view: CentreView

    init() throws {
        fixture = try HubFixture()
        view = try fixture.view()
    }

    @Test("the centre's tables show what cells wrote")
    func merges() throws {
        try fixture["A"].insert("x", "by A")
        try fixture["B"].insert("t", channel: "plan/1")
        try fixture["A"].sync()
        try fixture["B"].sync()
        #expect(try view.catchUp() == 2)
        #expect(try view.catchUp() == 0)
        #expect(try view.store.rows("SELECT title FROM note").map { $0["title"] } == ["by A"])
        #expect(try view.store.rows("SELECT channel FROM task").map { $0["channel"] } == ["plan/1"])
        #expect(try view.store.verify(deep: true).problems == [])
    }

    @Test("the centre's own edits go into the log, and to the cells")
    func edits() throws {
        try fixture["A"].insert("x", "by A")
        try fixture["A"].sync()
        try view.catchUp()
        try view.store.write(officer: "admin") { try $0.update("note", id: "x", [("title", "by the centre")]) }
        try view.store.write { try $0.insert("task", [("id", "t"), ("channel", "plan/2")]) }
        try view.catchUp()
        for device in fixture.devices { try device.sync() }
        for device in fixture.devices {
            #expect(try device.title("x") == "by the centre")
            #expect(try device.store.settledDigests() == view.store.settledDigests())
        }
        let history = try fixture["B"].store.history(table: "note", id: "x")
        #expect(history.map(\.author) == ["A", "centre"] && history.map(\.officer) == ["", "admin"])
    }

    @Test("answers have the view's digests once it has caught up, and not before")
    func digests() throws {
        try fixture["A"].insert("x")
        try fixture["A"].sync()
        #expect(try fixture.entries(for: fixture["B"]).heads.first { $0.channel == "org" }?.digest.isEmpty == true)
        try view.catchUp()
        let head = try fixture.entries(for: fixture["B"]).heads.first { $0.channel == "org" }
        #expect(try head.map { Array($0.digest) } == fixture["A"].store.settledDigests()["org"]?.bytes)
        try fixture["A"].update("x", "later")
        try fixture["A"].sync()
        #expect(try fixture.entries(for: fixture["B"]).heads.first { $0.channel == "org" }?.digest.isEmpty == true)
    }

    @Test("a conflict between a cell and the centre is the same on both")
    func conflict() throws {
        try fixture["A"].insert("x")
        try fixture["A"].sync()
        try view.catchUp()
        try fixture["A"].update("x", "by A")
        try view.store.write { try $0.update("note", id: "x", [("title", "by the centre")]) }
        try fixture["A"].sync()
        try view.catchUp()
        try fixture["A"].sync()
        #expect(try fixture["A"].store.conflicts() == view.store.conflicts())
        #expect(try view.store.conflicts().count == 1)
    }

    @Test("a view that is made anew from the log is the same")
    func rebuilt() throws {
        for number in 1...3 { try fixture["A"].insert("row\(number)") }
        try view.store.write { try $0.insert("note", [("id", "centre")]) }
        try fixture["A"].sync()
        try view.catchUp()
        let second = try fixture.view()
        try second.catchUp()
        #expect(try second.store.settledDigests() == view.store.settledDigests())
        #expect(try second.store.rows("SELECT id FROM note").count == 4)
    }
}
