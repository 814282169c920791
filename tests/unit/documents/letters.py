"""A tokenizer of one piece a letter, made here: the models' own is a download."""

import string

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from riskee.embedding.word_pieces import LONGEST_WORD, WordPieces


def letters() -> WordPieces:
    """BERT's normaliser and words; each letter and digit is a piece."""
    characters = [*string.ascii_lowercase, *string.digits]
    tokens = ["[UNK]", *characters, *(f"##{one}" for one in characters), *string.punctuation]
    model = models.WordPiece(
        vocab={token: number for number, token in enumerate(tokens)},
        unk_token="[UNK]",
        max_input_chars_per_word=LONGEST_WORD,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return WordPieces(tokenizer)
