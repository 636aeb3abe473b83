"""Decisions: pure functions of facts, settings and now. No await, clock, randomness or logging in here."""
