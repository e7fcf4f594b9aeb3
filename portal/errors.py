"""The portal's one tree of exceptions for things that an operator or a client can act on."""


class OperationError(Exception):
    """The operation could not be carried out."""

    status = 400

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").strip())


class ConflictError(OperationError):
    """The thing has changed meanwhile. Reload and try again."""

    status = 409


class UpstreamError(OperationError):
    """An outside service did not answer as it should. Try again later."""

    status = 502
