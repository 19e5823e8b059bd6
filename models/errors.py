"""The exception for mistakes that a user can correct."""

from __future__ import annotations


class UserError(ValueError):
    """Bad input: the message is one line that names the file or value and the remedy.

    The command line prints it as ``error: ...`` and exits with code 2, without a traceback.
    """
