"""An install on its way. Pure."""

from datetime import datetime

from attrs import field, frozen


@frozen(kw_only=True)
class InstallIntent:
    """A row of ``install_intents``."""

    state: str = field(repr=False)
    """The secret that Discord hands back to us, once."""
    user_id: int
    guild_id: int
    created_at: datetime | None = None
    expires_at: datetime
