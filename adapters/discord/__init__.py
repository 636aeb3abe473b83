"""Discord: bots on discord.py, in servers ("guilds") and direct messages."""
