"""A community bot in ten lines: it answers on every platform, in groups only when spoken to."""

ANSWERS = {
    "hours": "We meet every Tuesday at 19:00 UTC.",
    "rules": "Be kind, stay on topic, no advertising.",
}


async def reply(message, conversation):
    if not message.addressed:
        return None
    found = next((answer for word, answer in ANSWERS.items() if word in message.text.lower()), None)
    return found or f"Hello {message.author.name or message.author.handle}! Ask me about: {', '.join(ANSWERS)}."
