"""The part of Ollama's API that Riskee uses, over llama.cpp in this process (`xllamacpp`).

For the embedded profile only: one process, loopback, one model in memory, one generation at a time. Whatever it
does not support it refuses with Ollama's form of error.
"""
