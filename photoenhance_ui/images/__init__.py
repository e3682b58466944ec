"""Files and Photos: reading, writing, formats, metadata, and how far two pictures differ."""
