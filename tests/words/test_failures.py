"""What a person reads when something did not work."""

import re

from clipsaver.errors import BadInput, ClipsaverError
from clipsaver.words import failures


def test_errors_that_explain_themselves() -> None:
    """Our own errors carry their sentence; others have none to show."""
    assert failures.expected(BadInput("No such day.")) == "No such day."
    assert failures.expected(ClipsaverError("Later.")) == "Later."
    assert failures.expected(RuntimeError("secret")) is None


def test_references_are_short_and_shown() -> None:
    """Whoever reads the answer can name the failure that is in the log."""
    reference = failures.reference()
    assert re.fullmatch("[0-9a-f]{8}", reference)
    reply = failures.went_wrong(reference)
    assert "Something went wrong" in reply.content
    assert reference in reply.content


def test_sentences_fit_into_a_message() -> None:
    """However long an error is, its answer can be sent, and has no buttons left."""
    reply = failures.failed("x" * 5000)
    assert len(reply.content) == 2000
    assert reply.components == ()


def test_lightbulbs_own_refusals() -> None:
    """What the library refuses is said in the same words as what we refuse."""
    assert failures.you_lack(["Manage Server"]) == "You need Manage Server to do that."
    assert failures.i_lack(["View Channel", "Connect"]) == "I need View Channel and Connect to do that."
    assert "limit" in failures.not_an_option("limit")
    assert failures.not_for_you()
    assert failures.not_your_button()
    assert "button" in failures.old_button().content
