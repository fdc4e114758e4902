"""What a member may do, as Discord evaluates it."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from clipsaver.discord.permissions import (
    ALL,
    NONE,
    READ_HISTORY,
    Permission,
    display_name,
    evaluate,
    may_read,
    missing,
    needed_to_read,
)
from clipsaver.discord.snapshots import OverwriteSnapshot, RoleSnapshot

GUILD, ME, OWNER, HELPERS, MUTED = 1, 10, 11, 20, 21
VIEW, SEND, HISTORY = Permission.VIEW_CHANNEL, Permission.SEND_MESSAGES, Permission.READ_MESSAGE_HISTORY

bits = st.integers(min_value=0, max_value=int(ALL)).map(lambda drawn: drawn & int(ALL))
ids = st.sampled_from([GUILD, ME, OWNER, HELPERS, MUTED, 99])
overwrite_lists = st.lists(
    st.builds(OverwriteSnapshot, id=ids, type=st.integers(0, 1), allow=bits, deny=bits), max_size=6
)
role_lists = st.lists(
    st.builds(RoleSnapshot, id=st.sampled_from([GUILD, HELPERS, MUTED]), permissions=bits), max_size=4
)


def role(role_id: int, permissions: Permission) -> RoleSnapshot:
    """A role with these permissions."""
    return RoleSnapshot(id=role_id, permissions=int(permissions))


def overwrite(
    target: int, allow: Permission = NONE, deny: Permission = NONE, *, member: bool = False
) -> OverwriteSnapshot:
    """An overwrite for a role, or for a member."""
    return OverwriteSnapshot(id=target, type=int(member), allow=int(allow), deny=int(deny))


def mine(
    roles: Iterable[RoleSnapshot],
    overwrites: Iterable[OverwriteSnapshot] = (),
    *,
    held: Iterable[int] = (HELPERS,),
    timed_out: bool = False,
) -> Permission:
    """What I may do, being no owner."""
    return evaluate(
        member_id=ME,
        member_roles=list(held),
        owner_id=OWNER,
        roles=roles,
        guild_id=GUILD,
        overwrites=overwrites,
        timed_out=timed_out,
    )


def test_everyone_and_roles_add_up() -> None:
    """A role held adds to what everyone may; one not held doesn't."""
    roles = [role(GUILD, VIEW), role(HELPERS, SEND), role(MUTED, HISTORY)]
    assert mine(roles) == VIEW | SEND


def test_the_owner_may_everything() -> None:
    """No overwrite and no time-out takes anything from the owner."""
    allowed = evaluate(
        member_id=OWNER,
        member_roles=(),
        owner_id=OWNER,
        roles=(),
        guild_id=GUILD,
        overwrites=[overwrite(GUILD, deny=VIEW)],
        timed_out=True,
    )
    assert allowed == ALL


def test_administrators_pass_by_overwrites() -> None:
    """ADMINISTRATOR of any role is everything, whatever a channel denies."""
    assert mine([role(HELPERS, Permission.ADMINISTRATOR)], [overwrite(ME, deny=VIEW, member=True)]) == ALL


def test_the_order_of_overwrites() -> None:
    """Everyone first, then all roles together with their allows winning, then the member's own."""
    roles = [role(GUILD, VIEW | SEND | HISTORY)]
    overwrites = [
        overwrite(ME, deny=HISTORY, member=True),
        overwrite(MUTED, deny=SEND),
        overwrite(HELPERS, allow=SEND),
        overwrite(GUILD, deny=SEND),
    ]
    assert mine(roles, overwrites, held=(HELPERS, MUTED)) == VIEW | SEND


def test_overwrites_of_others_do_not_matter() -> None:
    """Neither another member's overwrite nor one of a role not held changes anything."""
    others = [overwrite(99, deny=VIEW, member=True), overwrite(MUTED, deny=VIEW), overwrite(ME, deny=VIEW)]
    assert mine([role(GUILD, VIEW)], others) == VIEW


def test_without_view_channel_there_is_nothing() -> None:
    """Who can't see a channel can do nothing in it."""
    assert mine([role(GUILD, VIEW | SEND)], [overwrite(GUILD, deny=VIEW)]) == NONE


def test_a_timed_out_member_may_only_look() -> None:
    """View Channel and Read Message History stay, the rest is lost."""
    assert mine([role(GUILD, VIEW | SEND | HISTORY)], timed_out=True) == READ_HISTORY


def test_voice_and_stage_need_connect() -> None:
    """Messages of voice and stage channels are read only by who may connect."""
    assert may_read(READ_HISTORY, 0)
    assert not may_read(READ_HISTORY, 2)
    assert may_read(READ_HISTORY | Permission.CONNECT, 13)
    assert missing(READ_HISTORY, needed_to_read(13)) == ("Connect",)


def test_missing_names_what_people_see() -> None:
    """Names are those of Discord's own settings."""
    assert missing(NONE, READ_HISTORY | Permission.MANAGE_GUILD) == (
        "Manage Server",
        "View Channel",
        "Read Message History",
    )
    assert display_name(Permission.MODERATE_MEMBERS) == "Timeout Members"


@given(role_lists, overwrite_lists, st.booleans())
def test_nothing_or_visible(roles: list[RoleSnapshot], overwrites: list[OverwriteSnapshot], timed_out: bool) -> None:  # noqa: FBT001 - drawn
    """A result is either nothing at all or holds View Channel."""
    allowed = mine(roles, overwrites, timed_out=timed_out)
    assert allowed == NONE or VIEW in allowed


@given(role_lists, overwrite_lists)
def test_a_time_out_only_takes(roles: list[RoleSnapshot], overwrites: list[OverwriteSnapshot]) -> None:
    """A timed-out member may nothing that they might not otherwise."""
    free, held_back = mine(roles, overwrites), mine(roles, overwrites, timed_out=True)
    assert free & held_back == held_back


@given(role_lists, overwrite_lists, st.randoms(use_true_random=False))
def test_the_listing_order_does_not_matter(
    roles: list[RoleSnapshot], overwrites: list[OverwriteSnapshot], rng: object
) -> None:
    """Discord lists roles and overwrites in no particular order."""
    mixed = sorted(overwrites, key=lambda _: rng.random())  # type: ignore[attr-defined]
    assert mine(roles, overwrites) == mine(reversed(roles), mixed)


@given(role_lists, overwrite_lists, bits)
def test_the_members_own_overwrite_decides(
    roles: list[RoleSnapshot], overwrites: list[OverwriteSnapshot], allow: int
) -> None:
    """What a member's own overwrite allows is there, if the channel can be seen."""
    allowed = mine(roles, [*overwrites, overwrite(ME, allow=Permission(allow), member=True)])
    assert allowed == NONE or Permission(allow) in allowed


@given(bits, bits)
def test_nothing_is_missing_from_itself(held: int, wanted: int) -> None:
    """Something is missing exactly if a wanted bit is not there."""
    assert bool(missing(Permission(held), Permission(wanted))) == bool(wanted & ~held)
