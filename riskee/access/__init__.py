"""Who may do what: the grants, and the keys that carry them."""
