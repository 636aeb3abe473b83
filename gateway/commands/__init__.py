"""The commands, a module for each or for those that belong together. What they need they import when they run."""
