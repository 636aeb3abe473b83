"""Text without platforms: from plain words to a Document, measures, and splitting at natural breaks."""
