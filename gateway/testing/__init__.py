"""What adapter authors test with: a clock to hold, a vault in memory, a context, and the conformance suite."""
