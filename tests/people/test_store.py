"""Tests of the statements on people."""

from clipsaver.discord.snapshots import UserSnapshot
from clipsaver.people.model import User
from clipsaver.people.store import ensure_users, get_user, upsert_users
from clipsaver.postgres.pool import Pool


async def versions(pool: Pool) -> dict[int, tuple[int, str]]:
    """Each person's own number and row version."""
    rows = await pool.fetch("select discord_user_id, id, xmin::text as version from users")
    return {row["discord_user_id"]: (row["id"], row["version"]) for row in rows}


async def test_people_are_written_with_what_discord_said(pool: Pool) -> None:
    """The later of two snapshots counts."""
    async with pool.acquire() as conn:
        await upsert_users(
            conn,
            [
                UserSnapshot(id=7, username="old", bot=True),
                UserSnapshot(id=5, username="ann", global_name="Ann", avatar="a_1"),
                UserSnapshot(id=7, username="new"),
            ],
        )
        ann, new = await get_user(conn, 5), await get_user(conn, 7)
    assert ann == User(id=1, discord_user_id=5, username="ann", global_name="Ann", avatar="a_1")
    assert new is not None
    assert (new.id, new.username) == (2, "new")


async def test_only_who_is_new_or_has_changed_is_written(pool: Pool) -> None:
    """No row version and no number of the sequence is spent on those who are the same."""
    same = [UserSnapshot(id=number, username=f"user {number}") for number in range(1, 4)]
    async with pool.acquire() as conn:
        await upsert_users(conn, same)
    before = await versions(pool)
    async with pool.acquire() as conn:
        await upsert_users(conn, [*same, UserSnapshot(id=2, username="other"), UserSnapshot(id=9, username="new")])
    after = await versions(pool)
    assert {number for number in before if before[number] != after[number]} == {2}
    assert after[9][0] == 3 + len({2, 9})


async def test_a_name_that_is_not_told_does_not_erase_a_known_one(pool: Pool) -> None:
    """A global name that was taken off does."""
    async with pool.acquire() as conn:
        await upsert_users(conn, [UserSnapshot(id=1, username="ann", global_name="Ann")])
        await upsert_users(conn, [UserSnapshot(id=1)])
        user = await get_user(conn, 1)
    assert user is not None
    assert (user.username, user.global_name) == ("ann", None)


async def test_people_of_whom_only_the_id_is_known_have_rows(pool: Pool) -> None:
    """Those who are known already stay as they are."""
    async with pool.acquire() as conn:
        await upsert_users(conn, [UserSnapshot(id=1, username="ann")])
        await ensure_users(conn, [2, 1, 2])
        await ensure_users(conn, [])
        await upsert_users(conn, [])
        users = [await get_user(conn, number) for number in (1, 2, 3)]
    assert [user and user.username for user in users] == ["ann", None, None]
    assert users[1] is not None
    assert users[2] is None
