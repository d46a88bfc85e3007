/// Runs the part of which instructions are counted: callgrind collects from here on, until this returns.
///
/// The name is what `make profile` looks for.
@inline(never)
func profiledPart(_ body: () throws -> Void) rethrows { try body() }
