"""Pages to look at clips with, from the disk: no script, no network, nothing that a name could change. Pure."""

from collections.abc import Sequence
from html import escape
from typing import Final
from urllib.parse import quote

from attrs import frozen

from clipsaver.clips.portable.model import Clip, Place
from clipsaver.clips.saving.model import shown_size

INDEX: Final = "index.html"
PAGES: Final = "pages"
PICTURES: Final = "pictures"
ON_A_PAGE: Final = 50
"""Clips: as many as browsers show at once without thinking about it."""
POLICY: Final = (
    "default-src 'none'; img-src 'self' file:; media-src 'self' file:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; }
ul.clips { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); }
ul.clips { list-style: none; padding: 0; }
ul.clips li { overflow-wrap: anywhere; }
video { aspect-ratio: 16 / 9; background: #000; display: block; width: 100%; }
small { opacity: .75; } nav { margin: 1rem 0; } nav a, nav b { margin-right: .6rem; }
"""


@frozen(kw_only=True)
class Summed:
    """A channel's list in figures."""

    place: Place
    clips: int
    bytes: int


def page_name(place: Place, number: int) -> str:
    """Where a channel's page lies."""
    return f"{PAGES}/{place.guild_id}/{place.channel_id}-{number}.html"


def picture_name(sha256: bytes) -> str:
    """Where the picture of some bytes lies."""
    return f"{PICTURES}/{sha256[:1].hex()}/{sha256.hex()}.webp"


def pages_of(clips: int) -> int:
    """How many pages that many clips take."""
    return -(-clips // ON_A_PAGE)


def index(channels: Sequence[Summed]) -> bytes:
    """The first page: every channel, by server."""
    together = f"{_clips(sum(one.clips for one in channels))}, {shown_size(sum(one.bytes for one in channels))}"
    parts = ["<h1>Saved clips</h1>", f"<p>{together}. The files are in <code>clips</code>.</p>"]
    guild_id = None
    for one in channels:
        if one.place.guild_id != guild_id:
            parts.append(("" if guild_id is None else "</ul>") + f"<h2>{_name(one.place.guild_name)}</h2><ul>")
            guild_id = one.place.guild_id
        link = quote(page_name(one.place, 1))
        parts.append(f'<li><a href="{link}">#{_channel(one.place)}</a> <small>{_clips(one.clips)}</small></li>')
    if guild_id is not None:
        parts.append("</ul>")
    return _document("Saved clips", parts)


def page(place: Place, clips: Sequence[Clip], *, number: int, pages: int, pictures: frozenset[bytes]) -> bytes:
    """One page of a channel; ``pictures`` are the hashes of those clips of which there is one."""
    links = _links(place, number, pages)
    return _document(
        f"#{place.channel_name or place.channel_id}, page {number}",
        [
            f'<nav><a href="../../{INDEX}">All channels</a></nav>',
            f"<h1>{_name(place.guild_name)} · #{_channel(place)}</h1>",
            links,
            '<ul class="clips">',
            *(_clip(clip, pictured=clip.sha256 in pictures) for clip in clips),
            "</ul>",
            links,
        ],
    )


def _clip(clip: Clip, *, pictured: bool) -> str:
    file = _up(clip.file)
    # A spoiler shows nothing before somebody asks for it.
    poster = f' poster="{_up(picture_name(clip.sha256))}"' if pictured and not clip.is_spoiler else ""
    author = clip.author_global_name or clip.author_username or "someone"
    facts = [_name(author), f"{clip.posted_at:%Y-%m-%d %H:%M} UTC", shown_size(clip.bytes)]
    if clip.is_spoiler:
        facts.append("spoiler")
    if clip.gone_since is not None:
        facts.append(f"not saved elsewhere since {clip.gone_since:%Y-%m-%d}")
    return (
        f'<li><video controls preload="none" src="{file}"{poster}></video>'
        f'<a href="{file}">{_name(clip.title or clip.filename)}</a><br><small>{" · ".join(facts)}</small></li>'
    )


def _links(place: Place, number: int, pages: int) -> str:
    """The way to other pages: the first, the last, those nearby, and some far ones in between."""
    shown = {1, pages, *range(number - 3, number + 4)}
    step = 10
    while step < pages:
        shown |= {number - step, number + step}
        step *= 10
    links = []
    for other in sorted(one for one in shown if 1 <= one <= pages):
        if other == number:
            links.append(f"<b>{other}</b>")
        else:
            links.append(f'<a href="{place.channel_id}-{other}.html">{other}</a>')
    return f"<nav>{' '.join(links)}</nav>" if pages > 1 else ""


def _document(title: str, parts: Sequence[str]) -> bytes:
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">'
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body>"
    )
    return "\n".join([head, *parts, "</body></html>\n"]).encode("utf-8", "replace")


def _up(name: str) -> str:
    """The address of a file, from a page."""
    return f"../../{quote(name)}"


def _channel(place: Place) -> str:
    return _name(place.channel_name or str(place.channel_id))


def _name(text: str) -> str:
    """Words that somebody else chose, and which way they run is their own business only."""
    return f"<bdi>{_text(text)}</bdi>"


def _text(text: str) -> str:
    return escape(text)


def _clips(number: int) -> str:
    return "1 clip" if number == 1 else f"{number:,} clips"
