"""The values a person gives a command's options, as the client checks and sends them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field

from clipsaver.simulator.interactions import option_forms as kinds
from clipsaver.simulator.interactions.bodies import Upload
from clipsaver.simulator.interactions.messages import DEFAULT_SIZE_LIMIT
from clipsaver.simulator.interactions.occasions import resolved
from clipsaver.simulator.payloads import attachment_payload
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.person.place import Place
from clipsaver.simulator.person.refusals import PersonRefused
from clipsaver.simulator.uploads import keep_files

DEFAULT_LONGEST = 6000


@define
class Choosing:
    """Fills in options at one place, and gathers the entities they mean."""

    place: Place
    users: list[int] = field(factory=list)
    roles: list[int] = field(factory=list)
    channels: list[int] = field(factory=list)
    attachments: dict[str, Any] = field(factory=dict)

    def fill(
        self, options: Sequence[Mapping[str, Any]], values: Mapping[str, Any], *, focused: str | None = None
    ) -> list[dict[str, Any]]:
        """The options with their values; while one is focused, others may still be missing."""
        known = {name for option in options for name in self.place.names(option)}
        unknown = sorted(values.keys() - known)
        if unknown:
            raise PersonRefused(f"The command has no option called {unknown[0]!r}.")
        filled = []
        for option in options:
            given = [values[name] for name in self.place.names(option) if values.get(name) is not None]
            told = {"type": option["type"], "name": option["name"]}
            if focused is not None and focused in self.place.names(option):
                filled.append(told | {"value": given[0] if given else "", "focused": True})
            elif given:
                filled.append(told | {"value": self._value(option, given[0])})
            elif option.get("required") and focused is None:
                raise PersonRefused(f"The option {option['name']!r} is required.")
        return filled

    def resolved(self) -> dict[str, Any]:
        """What the chosen ids mean, as ``resolved`` of the interaction's data; empty without any."""
        place = self.place
        found = resolved(
            place.interactions.world,
            place.guild_id,
            asking=place.user_id,
            channel_id=place.channel_id,
            users=self.users,
            roles=self.roles,
            channels=self.channels,
        )
        found |= {"attachments": self.attachments} if self.attachments else {}
        return {"resolved": found} if found else {}

    def _value(self, option: Mapping[str, Any], value: Any) -> Any:
        name = option["name"]
        match option["type"]:
            case kinds.STRING:
                return self._string(option, value)
            case kinds.INTEGER | kinds.NUMBER:
                return self._number(option, value)
            case kinds.BOOLEAN:
                if not isinstance(value, bool):
                    raise PersonRefused(f"{name!r} is either true or false.")
                return value
            case kinds.ATTACHMENT:
                return self.attach(name, value)
            case kind:
                return self.entity(kind, value, name, option.get("channel_types") or ())

    def _choice(self, option: Mapping[str, Any], value: Any) -> Any:
        for choice in option["choices"]:
            if value == choice["value"] or value in self.place.names(choice):
                return choice["value"]
        raise PersonRefused(f"{value!r} is not one of the choices of {option['name']!r}.")

    def _string(self, option: Mapping[str, Any], value: Any) -> str:
        if not isinstance(value, str) or not value:
            raise PersonRefused(f"{option['name']!r} takes text.")
        if option.get("choices"):
            return str(self._choice(option, value))
        least, most = option.get("min_length", 0), option.get("max_length", DEFAULT_LONGEST)
        if not least <= len(value) <= most:
            raise PersonRefused(f"{option['name']!r} takes {least} to {most} characters.")
        return value

    def _number(self, option: Mapping[str, Any], value: Any) -> float:
        if option.get("choices"):
            return float(found) if isinstance(found := self._choice(option, value), float) else int(found)
        whole = option["type"] == kinds.INTEGER
        if not kinds.is_number(value) or (whole and not isinstance(value, int)) or abs(value) > kinds.LARGEST:
            raise PersonRefused(f"{option['name']!r} takes a {'whole number' if whole else 'number'}.")
        least, most = option.get("min_value"), option.get("max_value")
        if (least is not None and value < least) or (most is not None and value > most):
            raise PersonRefused(f"{option['name']!r} is out of its bounds.")
        number: float = value
        return number

    def attach(self, name: str, value: Any) -> str:
        """A file given as (name, bytes)."""
        filename, content = value
        if len(content) > DEFAULT_SIZE_LIMIT:
            raise PersonRefused(f"The file for {name!r} is too large.")
        world = self.place.interactions.world
        upload = Upload(filename=filename, content_type=None, content=content)
        attachment = keep_files(world, self.place.channel_id, {0: upload}, [{"id": "0"}])[0]
        payload = attachment_payload(attachment, world.links, world.user) | {"ephemeral": True}
        self.attachments[payload["id"]] = payload
        return str(payload["id"])

    def entity(self, kind: int, value: Any, name: str, channel_types: Iterable[int] = ()) -> str:
        """A user, role or channel given by its id, or by an object that has one."""
        number = int(getattr(value, "id", value))
        world, guild_id = self.place.interactions.world, self.place.guild_id
        roles = world.guilds[guild_id].roles if guild_id is not None else {}
        if kind in {kinds.ROLE, kinds.MENTIONABLE} and number in roles:
            self.roles.append(number)
        elif kind in {kinds.USER, kinds.MENTIONABLE} and number in world.users:
            self.users.append(number)
        elif kind == kinds.CHANNEL:
            self._check_channel(number, name, tuple(channel_types))
            self.channels.append(number)
        else:
            raise PersonRefused(f"There is nobody and nothing of this id for {name!r}.")
        return str(number)

    def _check_channel(self, channel_id: int, name: str, allowed: tuple[int, ...]) -> None:
        world = self.place.interactions.world
        channel = world.channels.get(channel_id)
        here = channel is not None and channel.guild_id == self.place.guild_id is not None
        if channel is None or not here or not world.can(self.place.user_id, channel_id, Permission.VIEW_CHANNEL):
            raise PersonRefused(f"You see no such channel for {name!r}.")
        if allowed and channel.type not in allowed:
            raise PersonRefused(f"{name!r} doesn't take channels of this type.")
