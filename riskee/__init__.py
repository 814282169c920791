"""The domain of Riskee: what a quote, bar, feature, model, prediction and explanation is."""

__version__ = "0.1.0"
