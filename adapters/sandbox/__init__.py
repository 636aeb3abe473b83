"""A credential-free world: five wire faces over one truth. It shares no code with what it tests."""
