"""Messages and buttons in Discord's own shapes, as plain data. Pure."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

ACTION_ROW, BUTTON = 1, 2
"""Discord: Component Types."""
SECONDARY, DANGER = 2, 4
"""Discord: Button Styles."""

Component = Mapping[str, Any]


@frozen(kw_only=True)
class Reply:
    """One message, whole: its text and the components under it."""

    content: str
    components: tuple[Component, ...] = ()

    @property
    def payload(self) -> Mapping[str, Any]:
        """The message in Discord's own shape; without components, those that were there go."""
        return {"content": self.content, "components": list(self.components)}


def button(label: str, custom_id: str, *, style: int = SECONDARY, disabled: bool = False) -> Component:
    """Return a button; a label has up to 80 characters, a custom id up to 100."""
    return {"type": BUTTON, "style": style, "label": label, "custom_id": custom_id, "disabled": disabled}


def row(*buttons: Component) -> Component:
    """Return up to five buttons side by side."""
    return {"type": ACTION_ROW, "components": list(buttons)}
