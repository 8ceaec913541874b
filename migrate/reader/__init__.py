"""Reading: the bytes of a script in, its commands, assignments, here-documents and gaps out; never raises."""

from migrate.reader.layout import Layout, lay_out
from migrate.reader.words import read_words, undo_heredoc

__all__ = ["Layout", "lay_out", "read_words", "undo_heredoc"]
