"""Prediction models: the artifact, what predicts with it, training, evaluation, registry."""
