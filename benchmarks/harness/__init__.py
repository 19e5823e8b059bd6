"""The harness for everyone's translations: read as people have them, measured, put in the papers' tables."""
