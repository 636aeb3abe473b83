"""What adapter authors test with: a clock to hold, a vault in memory, a context, and the conformance suite."""

from gateway.testing.kit import Bench, ManualClock, MemoryVault

__all__ = ["Bench", "ManualClock", "MemoryVault"]
