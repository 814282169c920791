"""Sentences about given facts, false and true, written down before the checks that are held to them.

`documents.jsonl`: documents by name. `false.jsonl`: what a language model might answer, and which of it must go.
`true.jsonl`: sentences that must stay, so that refusing everything is no way to pass.
"""
