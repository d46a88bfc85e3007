/// The media type of a file by its name, where its first bytes agree. A name alone can say anything, and bytes alone do
/// not tell a table from a text.
public struct FileType: Sendable {
    /// Why a file has no type, for people.
    public enum Refusal: Error, Sendable, Equatable {
        /// The name ends in nothing that is known.
        case unknown(ending: String)
        /// The bytes are not those of what the name says.
        case otherContent(ending: String)
    }

    private enum Content {
        case begins([UInt8])
        /// `RIFF`, four bytes of length, `WEBP`.
        case webP
        /// No NUL byte, and nothing that is known to be something else.
        case text
        /// A zip archive whose first entry is called `mimetype` and holds the type.
        case openDocument
        /// A zip archive with a folder of this name.
        case officeZip(String)
        /// The older Office's compound file.
        case compound
    }

    /// Ending in lower case, type, content.
    private static let known: [(ending: String, type: String, content: Content)] = [
        ("pdf", "application/pdf", .begins(Array("%PDF-".utf8))),
        ("png", "image/png", .begins([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])),
        ("jpg", "image/jpeg", .begins([0xff, 0xd8, 0xff])), ("jpeg", "image/jpeg", .begins([0xff, 0xd8, 0xff])),
        ("webp", "image/webp", .webP), ("txt", "text/plain", .text), ("csv", "text/csv", .text),
        ("odt", "application/vnd.oasis.opendocument.text", .openDocument),
        ("ods", "application/vnd.oasis.opendocument.spreadsheet", .openDocument),
        ("odp", "application/vnd.oasis.opendocument.presentation", .openDocument),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", .officeZip("word/")),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", .officeZip("xl/")),
        ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", .officeZip("ppt/")),
        ("doc", "application/msword", .compound), ("xls", "application/vnd.ms-excel", .compound),
        ("ppt", "application/vnd.ms-powerpoint", .compound),
    ]

    /// Bytes at either end of a file that ``of(name:head:tail:)`` looks at.
    public static let sampleBytes = 64 << 10

    /// - Parameters:
    ///   - head: the first ``sampleBytes``, or all.
    ///   - tail: the last ``sampleBytes``, or all; a zip archive names its entries there.
    public static func of(name: String, head: [UInt8], tail: [UInt8]) throws(Refusal) -> String {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        let ending = parts.count > 1 ? parts[parts.count - 1].lowercased() : ""
        guard let found = known.first(where: { $0.ending == ending }) else { throw .unknown(ending: ending) }
        guard agrees(found.content, found.type, head, tail) else { throw .otherContent(ending: ending) }
        return found.type
    }

    private static func agrees(_ content: Content, _ type: String, _ head: [UInt8], _ tail: [UInt8]) -> Bool {
        switch content {
        case .begins(let magic): return head.starts(with: magic)
        case .webP: return head.starts(with: "RIFF".utf8) && head.dropFirst(8).starts(with: "WEBP".utf8)
        case .openDocument:
            // The entry's name begins at byte 30, its content right behind.
            return isZip(head) && head.dropFirst(30).starts(with: "mimetype\(type)".utf8)
        case .officeZip(let folder): return isZip(head) && contains(tail, Array(folder.utf8))
        case .compound: return head.starts(with: [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1])
        case .text: return !head.contains(0) && !tail.contains(0) && !isOther(head)
        }
    }

    private static func isZip(_ head: [UInt8]) -> Bool { head.starts(with: [0x50, 0x4b, 0x03, 0x04]) }

    private static func isOther(_ head: [UInt8]) -> Bool {
        isZip(head)
            || known.contains { entry in
                guard case .begins(let magic) = entry.content else { return false }
                return head.starts(with: magic)
            }
    }

    private static func contains(_ bytes: [UInt8], _ wanted: [UInt8]) -> Bool {
        guard let first = wanted.first, bytes.count >= wanted.count else { return false }
        return (0...bytes.count - wanted.count).contains { bytes[$0] == first && bytes[$0...].starts(with: wanted) }
    }
}
