"""The errors carry a sentence and their fate."""

import pytest

from clipsaver.errors import BadInput, ClipsaverError, LeaseLost, NotAllowed, NotThere, StartFailed


def test_the_sentence_is_what_one_reads() -> None:
    """An error is shown as its sentence."""
    error = ClipsaverError("I can't read #clips.")

    assert (str(error), error.message) == ("I can't read #clips.", "I can't read #clips.")


def test_trying_again_may_help_unless_it_is_said_otherwise() -> None:
    """An error is permanent only if somebody says so."""
    assert (ClipsaverError("a").permanent, ClipsaverError("a", permanent=True).permanent) == (False, True)


@pytest.mark.parametrize("kind", [BadInput, NotAllowed, NotThere, StartFailed])
def test_what_only_a_person_can_change_is_permanent(kind: type[ClipsaverError]) -> None:
    """These are not worth another try."""
    error = kind("No.")

    assert (error.permanent, str(error)) == (True, "No.")


def test_a_lost_lease_is_not_for_good() -> None:
    """Whoever lost a lease may claim again."""
    assert not LeaseLost("Another worker has it.").permanent
