"""Documents for retrieval: sentences made from the stored data alone, each dated by when it could be known."""
