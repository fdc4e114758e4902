"""Where the description and the documentation differ, and what is held to neither; each with its reason."""

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

SCHEMAS: Final = ("components", "schemas")


@frozen(kw_only=True)
class Amendment:
    """A place where the description is narrower than what Discord documents and does."""

    place: tuple[str | int, ...]
    """Where in the description."""
    instead: Any
    """What stands there for our purposes."""
    reason: str


@frozen(kw_only=True)
class Deviation:
    """Exchanges that are not held to the description."""

    method: str
    path: str
    """A regular expression."""
    problem: str = ".*"
    """A regular expression: only problems like this one are passed over."""
    reason: str

    def excuses(self, method: str, path: str, problem: str) -> bool:
        """Whether this is what the deviation is about."""
        return (
            re.fullmatch(self.method, method) is not None
            and re.fullmatch(self.path, path) is not None
            and re.fullmatch(self.problem, problem, re.DOTALL) is not None
        )


def amended(document: Mapping[str, Any], amendments: tuple[Amendment, ...]) -> Mapping[str, Any]:
    """The description, changed in some places; KeyError for one that is gone: then the amendment can go too."""
    for amendment in amendments:
        *way, last = amendment.place
        parent: Any = document
        for step in way:
            parent = parent[step]
        if isinstance(parent, dict) and last not in parent:
            raise KeyError(amendment.place)
        parent[last] = amendment.instead
    return document


_ERROR_IN_FORM: Final = {
    "type": "object",
    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
    "required": ["code", "message"],
}
_PERMISSIONS: Final = {"type": ["integer", "string", "null"], "pattern": "^[0-9]+$", "minimum": 0}

AMENDMENTS: Final = (
    Amendment(
        place=(*SCHEMAS, "InnerErrors", "properties", "_errors", "items"),
        instead=_ERROR_IN_FORM,
        reason="The documentation (Error Messages) has words such as BASE_TYPE_REQUIRED; the description numbers.",
    ),
    Amendment(
        place=(*SCHEMAS, "MessageReferenceType"),
        instead={"type": "integer", "enum": [0, 1]},
        reason="Forwards have type 1 (documentation: Message Reference Types); the description knows only 0.",
    ),
    Amendment(
        place=(*SCHEMAS, "ChannelTypes"),
        instead={"type": "integer", "enum": [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16]},
        reason="Media channels (type 16) are documented (Channel Types) and missing from the description.",
    ),
    Amendment(
        place=(*SCHEMAS, "GuildChannelResponse", "properties", "type", "enum"),
        instead=[0, 2, 4, 5, 13, 14, 15, 16],
        reason="The same: a media channel is a channel of a guild.",
    ),
    Amendment(
        place=(*SCHEMAS, "RatelimitedResponse", "allOf", 0),
        instead={
            "type": "object",
            "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
            "required": ["message"],
        },
        reason="The code of a 429 is optional (documentation: Rate Limit Response Structure).",
    ),
    Amendment(
        place=(*SCHEMAS, "MessageAttachmentRequest", "properties", "id"),
        instead={"type": ["string", "integer"], "pattern": "^[0-9]+$"},
        reason="An upload's id is its number, as in the documentation's own examples (Uploading Files).",
    ),
    *(
        Amendment(
            place=(*SCHEMAS, f"ApplicationCommand{name}", "properties", "default_member_permissions"),
            instead=_PERMISSIONS,
            reason="The documentation (Edit Global Application Command) has permissions as texts, too.",
        )
        for name in ("CreateRequest", "UpdateRequest", "PatchRequestPartial")
    ),
)

DEVIATIONS: Final = (
    Deviation(
        method="POST",
        path="/oauth2/token(/revoke)?",
        reason="The token calls of OAuth are RFC 6749's and RFC 7009's, and not in Discord's description.",
    ),
    Deviation(
        method="POST",
        path="/attachments/refresh-urls",
        reason="It works for bots and is documented nowhere.",
    ),
    Deviation(
        method="PUT",
        path=r"/applications/\d+/guilds/\d+/commands/permissions",
        reason="Discord switched it off (documentation: Batch Edit Application Command Permissions), and so does ours.",
    ),
    Deviation(
        method=".*",
        path=".*",
        problem="answer: the body: None is not of type 'object'",
        reason="What stands before Discord's API refuses with a page, not JSON (documentation: Invalid Request Limit).",
    ),
    Deviation(
        method="POST",
        path="/users/@me/channels",
        problem=r"request: recipient_id: \d+ fits none of the alternatives, or several",
        reason="A test sends an id as a number, which Discord takes.",
    ),
    Deviation(
        method="DELETE",
        path="/users/@me",
        reason="Tests ask with a method that nobody has to see how that is refused.",
    ),
    Deviation(
        method=".*",
        path="/(api/v3/|nowhere|unknown|no-such).*",
        reason="Tests ask for routes that nobody has to see how that is refused.",
    ),
)
