"""Graders: is an answer the reference answer, and who says so."""
