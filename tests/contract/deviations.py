"""Where the simulated Discord, or we, differ from the description on purpose; each with its reason."""

import re
from typing import Final

from attrs import frozen


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
        method=".*",
        path=".*",
        problem=r"answer: errors\..*_errors'?\]?\[\d+\]\.code: '\w+' is not of type 'integer'",
        reason="Error Messages in the documentation have words such as BASE_TYPE_REQUIRED, the description numbers.",
    ),
    Deviation(
        method=".*",
        path="/channels/.*",
        problem=r"answer: (.*\.)?message_reference\.type: 0 was expected",
        reason="Forwards have type 1 (documentation: Message Reference Types); the description knows only 0.",
    ),
    Deviation(
        method=".*",
        path=".*",
        problem=r".*: (type )?16 fits none of the alternatives, or several",
        reason="Media channels (type 16) are documented (Channel Types) and missing from the description.",
    ),
    Deviation(
        method=".*",
        path="/(nowhere|unknown|no-such-route).*",
        reason="Tests ask for routes that nobody has to see how that is refused.",
    ),
)
