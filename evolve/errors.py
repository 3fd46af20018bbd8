"""The errors that end a command with one sentence and exit code 2."""


class InputError(ValueError):
    """The user asked for something that cannot be; the message says what was wrong and what to do."""


class StandstillError(RuntimeError):
    """The machine kept failing; what was committed is intact and the same command goes on."""
