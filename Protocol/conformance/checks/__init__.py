"""What the conformance run checks, by topic."""
