"""Our buttons and pages; custom ids carry all that is needed to act on them, so that they outlive a restart."""

import re
from collections.abc import Sequence
from uuid import UUID

from attrs import frozen

from clipsaver.discord.components import DANGER, Component, Reply, button, row
from clipsaver.words.language import say
from clipsaver.words.text import MESSAGE_LENGTH, cut, number

PAGE_LINES = 20
PAGE_NOTE = 40
"""Room for which page it is."""


@frozen(kw_only=True)
class Pressed:
    """What a custom id asks for: a button's place, what it does, and to what."""

    area: str
    action: str
    subject: str


def cancel_scan(run_id: UUID) -> Component:
    """Return the button that cancels a run, whoever started the bot since."""
    return row(button(say("Cancel"), f"scan:cancel:{run_id}", style=DANGER))


def confirm_read_none(user_id: int) -> Component:
    """Return the question's two buttons; only the one who was asked may answer."""
    return row(
        button(say("Stop reading everywhere"), f"read:none:{user_id}", style=DANGER),
        button(say("Leave it as it is"), f"read:keep:{user_id}"),
    )


def parse_custom_id(custom_id: str) -> Pressed | None:
    """Return what a button asks for; None for one that isn't ours, or isn't any more."""
    parts = custom_id.split(":")
    if len(parts) != 3 or not all(parts):  # noqa: PLR2004 - area, action, subject
        return None
    return Pressed(area=parts[0], action=parts[1], subject=parts[2])


def run_id_of(pressed: Pressed) -> UUID | None:
    """Return the run a button is for; None when it names none."""
    try:
        return UUID(pressed.subject)
    except ValueError:
        return None


def number_of(pressed: Pressed) -> int | None:
    """Return the number a button carries (a page, a person); None when it carries none."""
    return int(pressed.subject) if re.fullmatch(r"[0-9]{1,20}", pressed.subject) else None


def paged(head: str, lines: Sequence[str], *, what: str, page: int = 0) -> Reply:
    """Return one page of a list with buttons to the others; a page that no longer is becomes the last that is."""
    pages = _pages(lines, MESSAGE_LENGTH - len(head) - PAGE_NOTE)
    page = min(max(page, 0), len(pages) - 1)
    if len(pages) == 1:
        return Reply(content="\n".join([head, *pages[0]]))
    where = say("Page {page} of {pages}", page=number(page + 1), pages=number(len(pages)))
    return Reply(
        content="\n".join([f"{head} · {where}", *pages[page]]),
        components=(
            row(
                button(say("Back"), f"page:{what}:{page - 1}", disabled=page == 0),
                button(say("Next"), f"page:{what}:{page + 1}", disabled=page == len(pages) - 1),
            ),
        ),
    )


def _pages(lines: Sequence[str], room: int) -> list[list[str]]:
    """Spread lines over pages that each fit into a message."""
    pages: list[list[str]] = [[]]
    left = room
    for line in (cut(line, room - 1) for line in lines):
        if len(pages[-1]) == PAGE_LINES or len(line) + 1 > left:
            pages.append([])
            left = room
        pages[-1].append(line)
        left -= len(line) + 1
    return pages
