"""Explanations: facts, words of a language model that are checked against them, and a template for when they fail."""
