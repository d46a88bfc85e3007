import KenhCell
import KenhProtocol
import Testing

@Suite("The type of a file")
struct FileTypeTests {
    private static let zip: [UInt8] = [0x50, 0x4b, 3, 4] + [UInt8](repeating: 0, count: 26)

    private func type(_ name: String, _ head: [UInt8], tail: [UInt8]? = nil) throws(FileType.Refusal) -> String {
        try FileType.of(name: name, head: head, tail: tail ?? head)
    }

    @Test("is what its name says, where its content agrees, and is one of the usual types")
    func known() throws {
        let odt = "application/vnd.oasis.opendocument.text"
        let cases: [(String, [UInt8], [UInt8]?, String)] = [
            ("a.pdf", Array("%PDF-1.7".utf8), nil, "application/pdf"),
            ("Biên bản.PDF", Array("%PDF-1.7".utf8), nil, "application/pdf"),
            ("a.b.png", [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0], nil, "image/png"),
            ("a.jpeg", [0xff, 0xd8, 0xff, 0xe0], nil, "image/jpeg"),
            ("a.webp", Array("RIFFxxxxWEBPVP8".utf8), nil, "image/webp"),
            ("a.txt", Array("Kế hoạch".utf8), nil, "text/plain"), ("a.csv", Array("a;b\n1;2".utf8), nil, "text/csv"),
            ("a.odt", Self.zip + Array("mimetype\(odt)".utf8), nil, odt),
            (
                "a.docx", Self.zip, Array("…word/document.xml".utf8),
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
            ),
            ("a.xls", [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1], nil, "application/vnd.ms-excel"),
        ]
        for (name, head, tail, expected) in cases {
            #expect(try type(name, head, tail: tail) == expected)
            #expect(BlobRules.usualTypes.contains(expected))
        }
    }

    @Test(
        "is none where the content is another's",
        arguments: ["a.pdf", "a.png", "a.jpg", "a.webp", "a.docx", "a.odt", "a.doc", "a.ods", "a.pptx"])
    func disguised(_ name: String) {
        let ending = String(name.dropFirst(2))
        for content in [Array("MZ\u{90}".utf8), Self.zip, Array("<html>".utf8), []] {
            #expect(throws: FileType.Refusal.otherContent(ending: ending)) { try type(name, content) }
        }
    }

    @Test("is none of a text that is no text")
    func text() {
        for content in [[0x61, 0, 0x62], Array("%PDF-1.7".utf8), Self.zip] {
            #expect(throws: FileType.Refusal.otherContent(ending: "txt")) { try type("a.txt", content) }
        }
    }

    @Test(
        "is none where nothing is known of the ending", arguments: ["a.exe", "a.html", "a.pdf.sh", "a", "a.", ".pdf2"])
    func unknown(_ name: String) {
        #expect(throws: FileType.Refusal.self) { try type(name, Array("%PDF-1.7".utf8)) }
    }
}
