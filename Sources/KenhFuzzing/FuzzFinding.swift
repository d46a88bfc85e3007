/// Something that should hold for any bytes and did not for these.
public struct FuzzFinding: Error, Sendable, CustomStringConvertible {
    public let description: String
}

func require(_ holds: Bool, _ otherwise: @autoclosure () -> String) throws(FuzzFinding) {
    if !holds { throw FuzzFinding(description: otherwise()) }
}
