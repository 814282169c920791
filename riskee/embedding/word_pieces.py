"""Counting and cutting text as the embedding models read it."""

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from riskee.blobs import Blobs

if TYPE_CHECKING:
    from tokenizers import Tokenizer

WINDOW = 256
"""Word pieces that all-MiniLM-L6-v2 reads of a text, its two marks included; the other model reads more."""
# A longer word is one piece to the models, a shorter one at most a piece a letter.
LONGEST_WORD = 100


class WordPieces:
    """BERT's word pieces: both models have them, but for their marks at the ends of a text."""

    def __init__(self, tokenizer: "Tokenizer") -> None:
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self.tokenizer = tokenizer

    @classmethod
    def fetched(cls, home: Path) -> "WordPieces":
        """With the tokenizer's file, fetched into the `home` first where it is missing."""
        from tokenizers import Tokenizer

        return cls(Tokenizer.from_file(str(Blobs(home).ensure("minilm-tokenizer"))))

    def counts(self, texts: list[str]) -> list[int]:
        """Word pieces of each text, without marks. Texts joined by a space have the sum of them."""
        return [len(one.ids) for one in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def cut(self, text: str, limit: int) -> list[str]:
        """Parts of at most `limit` word pieces, cut between words; joined they are the text.

        Raises ValueError for a limit that a single word may exceed.
        """
        if limit < LONGEST_WORD:
            raise ValueError(f"a word may have {LONGEST_WORD} word pieces, more than {limit}")
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        words, offsets = encoding.word_ids, encoding.offsets
        cuts, began = [0], 0
        while len(words) - began > limit:
            end = began + limit
            while words[end] == words[end - 1]:
                end -= 1
            cuts.append(offsets[end][0])
            began = end
        return [text[first:last] for first, last in pairwise([*cuts, len(text)])]
