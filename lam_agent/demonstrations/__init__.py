"""Demonstrations: a teacher in many worlds -> episodes, which are cached or kept in a folder."""
