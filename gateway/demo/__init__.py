"""The demonstration: a sandbox, a gateway and an agent, people who talk, and a platform that takes the account away."""
