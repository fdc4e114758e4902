"""A person at Discord's client, as a test or the demo plays them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, frozen

from clipsaver.simulator.entities import Channel
from clipsaver.simulator.interactions import option_forms as kinds
from clipsaver.simulator.interactions.commands import Record
from clipsaver.simulator.interactions.interaction import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Interaction
from clipsaver.simulator.interactions.interactions import Interactions
from clipsaver.simulator.interactions.mailbox import mentions
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.person.choosing import Choosing
from clipsaver.simulator.person.forms import fill_form, select_values
from clipsaver.simulator.person.place import CHAT_INPUT, MESSAGE, USER, Place
from clipsaver.simulator.person.refusals import NoAnswer, PersonRefused
from clipsaver.simulator.person.reply import PATIENCE, Reply
from clipsaver.simulator.person.shown import Shown
from clipsaver.simulator.server import Simulator
from clipsaver.simulator.world import World

BUTTON, LINK, PREMIUM = 2, 5, 6
MOST_SEEN = 50


@frozen
class Choice:
    """One suggestion of an autocomplete answer."""

    name: str
    value: Any


@define
class Person:
    """A user of the simulator's world; every act is refused as Discord's client would refuse it."""

    simulator: Simulator
    user_id: int
    locale: str = "en-US"
    patience: float = 3.0
    """Seconds (real ones) the client waits for the first sign of an answer."""

    @property
    def _world(self) -> World:
        return self.simulator.world

    @property
    def _interactions(self) -> Interactions:
        return self.simulator.interactions

    def _at(self, channel: int | Channel) -> Place:
        channel_id = channel if isinstance(channel, int) else channel.id
        return Place(interactions=self._interactions, user_id=self.user_id, channel_id=channel_id, locale=self.locale)

    # Commands.

    async def run(self, line: str, *, in_channel: int | Channel, **values: Any) -> Reply:
        """Use a slash command such as ``/scan start``, with option values by name; files as (name, bytes)."""
        place = self._at(in_channel)
        command, path = self._find(place, line)
        choosing = Choosing(place)
        options = choosing.fill(path[-1].get("options") or (), values)
        return await self._send_command(place, command, path, options, choosing.resolved())

    async def run_on(self, name: str, target: Shown | Reply | int, *, in_channel: int | Channel) -> Reply:
        """Use a command of the context menu on a message, or on a user's id."""
        place = self._at(in_channel)
        if isinstance(target, int):
            command = place.find(name, USER)
            choosing = Choosing(place)
            choosing.entity(kinds.USER, target, name)
            return await self._send_command(
                place, command, [command], [], choosing.resolved() | {"target_id": str(target)}, target_id=target
            )
        command = place.find(name, MESSAGE)
        shown = self._shown(target)
        data = {"resolved": {"messages": {str(shown.id): shown.payload}}, "target_id": str(shown.id)}
        return await self._send_command(place, command, [command], [], data, target_id=shown.id)

    async def autocomplete(
        self, line: str, option: str, typed: object = "", *, in_channel: int | Channel, **values: Any
    ) -> list[Choice]:
        """Type in an option of a command, others being filled in or not; the suggestions."""
        place = self._at(in_channel)
        command, path = self._find(place, line)
        known = path[-1].get("options") or ()
        wanted = next((one for one in known if option in place.names(one)), None)
        if wanted is None or not wanted.get("autocomplete"):
            raise PersonRefused(f"Nothing is suggested for {option!r}.")
        choosing = Choosing(place)
        options = choosing.fill(known, values | {option: typed}, focused=option)
        data = self._data(command, path, options) | choosing.resolved()
        interaction = self._begin(place, AUTOCOMPLETE, data, path, focused_type=wanted["type"])
        await self._answered(interaction)
        if interaction.choices is None:
            raise NoAnswer("Loading options failed.")
        return [Choice(place.names(one)[0], one["value"]) for one in interaction.choices]

    def _find(self, place: Place, line: str) -> tuple[Record, list[Record]]:
        """The command of a line, and the way down to what has its options."""
        first, *rest = line.removeprefix("/").split()
        command = dict(place.find(first, CHAT_INPUT))
        path = [command]
        for word in rest:
            below = [one for one in path[-1].get("options") or () if one["type"] in kinds.NESTED]
            found = next((one for one in below if word in place.names(one)), None)
            if found is None:
                raise PersonRefused(f"There is no {line!r}.")
            path.append(found)
        if any(one["type"] in kinds.NESTED for one in path[-1].get("options") or ()):
            raise PersonRefused(f"{line!r} needs a subcommand.")
        return command, path

    def _data(
        self, command: Mapping[str, Any], path: Sequence[Mapping[str, Any]], options: list[dict[str, Any]]
    ) -> dict[str, Any]:
        for step in reversed(path[1:]):
            options = [{"type": step["type"], "name": step["name"], "options": options}]
        data: dict[str, Any] = {"id": command["id"], "name": command["name"], "type": command["type"]}
        data |= {"guild_id": command["guild_id"]} if "guild_id" in command else {}
        return data | ({"options": options} if options else {})

    async def _send_command(
        self,
        place: Place,
        command: Mapping[str, Any],
        path: Sequence[Mapping[str, Any]],
        options: list[dict[str, Any]],
        more: Mapping[str, Any],
        *,
        target_id: int | None = None,
    ) -> Reply:
        data = self._data(command, path, options) | dict(more)
        interaction = self._begin(place, COMMAND, data, path, command_type=command["type"], target_id=target_id)
        return await self._answered(interaction)

    def _begin(
        self, place: Place, kind: int, data: dict[str, Any], path: Sequence[Mapping[str, Any]] = (), **more: Any
    ) -> Interaction:
        words = " ".join(one["name"] for one in path)
        return self._interactions.begin(
            kind, self.user_id, place.channel_id, data, locale=self.locale, command=words, **more
        )

    async def _answered(self, interaction: Interaction) -> Reply:
        """Wait for the first sign of an answer; a reply without one shows as failed."""
        reply = Reply(self._interactions, interaction)
        try:
            await self._interactions.bell.until(lambda: reply.answered, self.patience)
        except TimeoutError:
            interaction.given_up = True
        return reply

    # Components.

    async def press(self, message: Shown | Reply, name: str) -> Reply:
        """Press the button of a label or custom id."""
        shown, component = self._component(message, name)
        if component["type"] != BUTTON or component["style"] in {LINK, PREMIUM}:
            raise PersonRefused(f"{name!r} is no button that asks the application.")
        return await self._use(shown, component, {})

    async def select(self, message: Shown | Reply, name: str, *values: Any) -> Reply:
        """Choose in the select menu of a placeholder or custom id: labels or values, or ids of what it lists."""
        shown, component = self._component(message, name)
        choosing = Choosing(self._at(shown.channel_id))
        chosen = select_values(choosing, component, values)
        return await self._use(shown, component, {"values": chosen} | choosing.resolved())

    async def submit(self, reply: Reply, **values: Any) -> Reply:
        """Fill in the form that popped up, by custom ids, and send it."""
        if reply.modal is None:
            raise PersonRefused("No form is open.")
        opened = reply.interaction
        place = self._at(opened.channel_id)
        choosing = Choosing(place)
        components = fill_form(choosing, reply.modal, values)
        data = {"custom_id": reply.modal["custom_id"], "components": components} | choosing.resolved()
        interaction = self._begin(place, MODAL, data, source_id=opened.source_id, opened_by=opened)
        return await self._answered(interaction)

    def _component(self, message: Shown | Reply, name: str) -> tuple[Shown, Mapping[str, Any]]:
        """The component of a name on a message as it is now, if this person can use it."""
        candidates = reversed(message.messages) if isinstance(message, Reply) else [self._shown(message)]
        refusal = PersonRefused("There is no message.")
        for shown in candidates:
            try:
                component = shown.component(name)
            except PersonRefused as error:
                refusal = error
                continue
            self._at(shown.channel_id).check_visible()
            if shown.payload.get("application_id") != str(self._world.application.id):
                raise PersonRefused("That message is not the application's.")
            if component.get("disabled"):
                raise PersonRefused(f"{name!r} is disabled.")
            return shown, component
        raise refusal

    async def _use(self, shown: Shown, component: Mapping[str, Any], more: Mapping[str, Any]) -> Reply:
        data = {
            "id": component["id"],
            "custom_id": component["custom_id"],
            "component_type": component["type"],
            **more,
        }
        interaction = self._begin(self._at(shown.channel_id), COMPONENT, data, source_id=shown.id)
        return await self._answered(interaction)

    # Channels.

    def say(
        self, channel: int | Channel, content: str = "", *, files: Sequence[tuple[str, bytes]] = (), **more: Any
    ) -> Shown:
        """Send a message, with files as (name, bytes); ``more`` as :meth:`World.send_message` takes it."""
        place = self._at(channel)
        place.check_visible()
        thread = self._world.channels[place.channel_id].thread is not None
        wanted = Permission.SEND_MESSAGES_IN_THREADS if thread else Permission.SEND_MESSAGES
        wanted |= Permission.ATTACH_FILES if files else Permission(0)
        if not self._world.can(self.user_id, place.channel_id, wanted):
            raise PersonRefused("You can't send that here.")
        attachments = [self._world.make_attachment(place.channel_id, name, data=data) for name, data in files]
        told = mentions(self._world, content, None)
        told["mention_everyone"] &= self._world.can(self.user_id, place.channel_id, Permission.MENTION_EVERYONE)
        message = self._world.send_message(
            place.channel_id, self.user_id, content=content, attachments=attachments, **(told | more)
        )
        return Shown.of(self._world, message)

    def sees(self, channel: int | Channel, limit: int = MOST_SEEN) -> list[Shown]:
        """The newest messages of a channel, oldest of them first, with the ephemeral ones meant for this person."""
        place = self._at(channel)
        place.check_visible()
        if not self._world.can(self.user_id, place.channel_id, Permission.READ_MESSAGE_HISTORY):
            raise PersonRefused("You can't read this channel's history.")
        newest = self._world.histories[place.channel_id].before(1 << 63, limit)
        own = [
            one
            for one in self._interactions.mailbox.ephemeral.values()
            if one.channel_id == place.channel_id and _asked_by(one.interaction_metadata, self.user_id)
        ]
        both = sorted([*newest, *own], key=lambda one: one.id)[-limit:]
        return [Shown.of(self._world, one) for one in both]

    async def wait_for_message(
        self,
        channel: int | Channel,
        predicate: Callable[[Shown], object] = lambda _: True,
        timeout: float = PATIENCE,  # noqa: ASYNC109 - a person's patience
    ) -> Shown:
        """Wait until a message like that is among the newest of a channel; the newest such."""

        def look() -> Shown | None:
            return next((one for one in reversed(self.sees(channel)) if predicate(one)), None)

        try:
            return await self._interactions.bell.until(look, timeout)
        except TimeoutError as error:
            last = [one.text for one in self.sees(channel)[-1:]]
            raise NoAnswer(f"After {timeout:g} s no such message; the last one reads {last!r}") from error

    def _shown(self, message: Shown | Reply) -> Shown:
        """A message as it is now, if this person sees it."""
        shown = message.message if isinstance(message, Reply) else message
        found = None if shown is None else self._interactions.mailbox.find(shown.channel_id, shown.id)
        if found is None:
            raise PersonRefused("That message is gone.")
        current = Shown.of(self._world, found)
        self._at(current.channel_id).check_visible()
        if current.ephemeral and not _asked_by(found.interaction_metadata, self.user_id):
            raise PersonRefused("You can't see this message.")
        return current


def _asked_by(metadata: Mapping[str, Any] | None, user_id: int) -> bool:
    return metadata is not None and metadata["user"]["id"] == str(user_id)
