"""How good explanations are, measured on real texts: what is found for them, and what becomes of the model's words."""
