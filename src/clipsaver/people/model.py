"""A person as the database knows them. Pure."""

from datetime import datetime

from attrs import frozen


@frozen(kw_only=True)
class User:
    """A row of ``users``."""

    id: int
    """Our own number; everything else refers to ``discord_user_id``."""
    discord_user_id: int
    username: str | None = None
    """None where only the id was ever told."""
    global_name: str | None = None
    avatar: str | None = None
    """The avatar's hash."""
    last_login_at: datetime | None = None
