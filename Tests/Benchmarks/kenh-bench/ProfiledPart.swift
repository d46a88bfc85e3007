/// Runs the parts of which instructions are counted: callgrind collects from here on, until this returns.
///
/// The name is what `make profile` looks for. An array, so that the compiler cannot make functions of other names or
/// several of this one.
@inline(never)
func profiledPart(_ parts: [() throws -> Void]) throws {
    for part in parts { try part() }
}
