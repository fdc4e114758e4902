"""Discord's way of refusing a body: code 50035 with a tree of errors, and the other error bodies of this package."""

from collections.abc import Mapping
from typing import Any

Path = tuple[str | int, ...]

INVALID_FORM_BODY = 50035


class Refused(Exception):
    """What Discord answers instead of doing it: a status, a JSON error code and its message."""

    def __init__(self, status: int, code: int, message: str, errors: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors

    def body(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        body: dict[str, Any] = {"message": self.message, "code": self.code}
        if self.errors is not None:
            body["errors"] = self.errors
        return body


class Form:
    """Gathers what is wrong with a body, so that one answer names all of it."""

    def __init__(self) -> None:
        self._tree: dict[str, Any] = {}
        self.count = 0
        """How many errors were noted so far."""

    def add(self, path: Path, code: str, message: str) -> None:
        """Note one error at a path such as ``("options", 0, "name")``; what is wrong as a whole has no wrong parts."""
        self.count += 1
        node = self._tree
        for part in path:
            if "_errors" in node:
                return
            node = node.setdefault(str(part), {})
        if "_errors" not in node:
            node.clear()
        node.setdefault("_errors", []).append({"code": code, "message": message})

    def check(self) -> None:
        """Refuse the body if anything is wrong with it."""
        if self._tree:
            raise Refused(400, INVALID_FORM_BODY, "Invalid Form Body", self._tree)

    def required(self, path: Path) -> None:
        """Note that a field is missing."""
        self.add(path, "BASE_TYPE_REQUIRED", "This field is required")

    def text(
        self, path: Path, value: Any, *, least: int = 0, most: int, required: bool = False, strip: bool = False
    ) -> str | None:
        """The text at a path if it is one of a fitting length, else None with the error noted."""
        if value is None:
            if required:
                self.required(path)
            return None
        if not isinstance(value, str):
            self.add(path, "STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.')
            return None
        length = len(value.strip()) if strip else len(value)
        if length < least and least == 1 and not length:
            self.required(path)
        elif length < least or length > most:
            message = (
                f"Must be between {least} and {most} in length." if least else f"Must be {most} or fewer in length."
            )
            self.add(path, "BASE_TYPE_BAD_LENGTH" if least else "BASE_TYPE_MAX_LENGTH", message)
        else:
            return value
        return None

    def items(self, path: Path, value: Any, *, least: int = 0, most: int) -> list[Any]:
        """The list at a path, empty (with the error noted where there is one) if it is none of a fitting length."""
        if value is None:
            if least:
                self.required(path)
            return []
        if not isinstance(value, list):
            self.add(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            return []
        if not least <= len(value) <= most:
            message = (
                f"Must be between {least} and {most} in length." if least else f"Must be {most} or fewer in length."
            )
            self.add(path, "BASE_TYPE_BAD_LENGTH" if least else "BASE_TYPE_MAX_LENGTH", message)
            return []
        return value

    def mapping(self, path: Path, value: Any) -> Mapping[str, Any] | None:
        """The object at a path, or None with the error noted."""
        if isinstance(value, dict):
            return value
        self.add(path, "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType")
        return None

    def integer(self, path: Path, value: Any, *, least: int, most: int, required: bool = False) -> int | None:
        """The integer at a path if it is within the bounds, else None with the error noted."""
        if value is None:
            if required:
                self.required(path)
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.add(path, "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')
        elif value < least:
            self.add(path, "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {least}.")
        elif value > most:
            self.add(path, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {most}.")
        else:
            return value
        return None

    def boolean(self, path: Path, value: Any) -> bool:
        """The value as a boolean (nothing counts as false), with the error noted if it is neither."""
        if value is not None and not isinstance(value, bool):
            self.add(path, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")
        return value is True

    def choice(self, path: Path, value: Any, allowed: tuple[int, ...]) -> int | None:
        """The value if it is one of the allowed, else None with the error noted."""
        if isinstance(value, int) and not isinstance(value, bool) and value in allowed:
            return value
        self.add(path, "BASE_TYPE_CHOICES", f"Value must be one of {{{', '.join(str(one) for one in allowed)}}}.")
        return None
