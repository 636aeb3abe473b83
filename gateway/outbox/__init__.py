"""The road out: intake, claim, plan, pace, send, settle, rescue."""
