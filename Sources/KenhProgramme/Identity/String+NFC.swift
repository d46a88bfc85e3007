import Foundation

extension String {
    /// The text as it enters the programme: composed letters, so that equal texts have equal bytes.
    package var nfc: String { precomposedStringWithCanonicalMapping }
}
