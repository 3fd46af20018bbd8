"""The errors that end a command with one sentence and exit code 2."""


class InputError(ValueError):
    """The user asked for something that cannot be; the message says what was wrong and what to do."""


class UntrustedError(InputError):
    """Foreign code would run where nothing keeps it from the user's files."""

    def __init__(self, what: str = "this design") -> None:
        super().__init__(
            f"{what} is untrusted code, and the sandbox would let it read and write your files; install docker or"
            " bubblewrap (`evolve doctor` says how), or give --allow-unsafe if you trust it"
        )


class StandstillError(RuntimeError):
    """The machine kept failing; what was committed is intact and the same command goes on."""
