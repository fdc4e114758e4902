"""The errors that a person may read, and what each means for whoever retries."""


class ClipsaverError(Exception):
    """Something went wrong that a sentence can explain; ``str()`` is that sentence."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
        """Whether trying again is pointless until a person changes something."""


class BadInput(ClipsaverError):
    """What someone typed can't be used; nothing was changed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class NotAllowed(ClipsaverError):
    """A permission is missing; the sentence names which one and where."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class NotThere(ClipsaverError):
    """The guild, channel or run that was asked for is not known."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class StartFailed(ClipsaverError):
    """The program can't start; the sentence is what the operator reads."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


class LeaseLost(ClipsaverError):
    """Another worker holds the row now; whatever was about to be written must not be."""
