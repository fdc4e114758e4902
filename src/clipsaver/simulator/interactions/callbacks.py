"""REST: the application's answers to interactions, and what it does with their tokens afterwards."""

from typing import Any, Final

from aiohttp import web
from attrs import define

from clipsaver.simulator.answers import answer, nothing, path_id, query_flag
from clipsaver.simulator.entities import Message
from clipsaver.simulator.interactions.bell import Bell
from clipsaver.simulator.interactions.bodies import Body, read_body
from clipsaver.simulator.interactions.forms import Form, Refused
from clipsaver.simulator.interactions.interaction import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL, Interaction
from clipsaver.simulator.interactions.mailbox import Mailbox, existing
from clipsaver.simulator.interactions.messages import EPHEMERAL, LOADING, read_edit, read_message
from clipsaver.simulator.interactions.modals import read_modal
from clipsaver.simulator.interactions.option_forms import STRING, read_choices
from clipsaver.simulator.world import World

SEND, DEFER, DEFER_UPDATE, UPDATE, SUGGEST, SHOW_MODAL = range(4, 10)
REPLY, CHAT_INPUT_COMMAND, CONTEXT_MENU_COMMAND = 19, 20, 23
_ALLOWED: Final = {
    COMMAND: (SEND, DEFER, SHOW_MODAL),
    COMPONENT: (SEND, DEFER, DEFER_UPDATE, UPDATE, SHOW_MODAL),
    AUTOCOMPLETE: (SUGGEST,),
    MODAL: (SEND, DEFER),
}


@define
class Callbacks:
    """The interactions under way, and the routes that answer them."""

    world: World
    mailbox: Mailbox
    bell: Bell
    by_token: dict[str, Interaction]

    def routes(self) -> list[web.RouteDef]:
        """Routes below ``/api/v10``."""
        webhook = "/webhooks/{webhook_id}/{webhook_token}"
        routes = [
            web.post("/interactions/{interaction_id}/{interaction_token}/callback", self.respond),
            web.post(webhook, self.follow_up),
        ]
        for which in ("@original", "{message_id}"):
            one = f"{webhook}/messages/{which}"
            routes += [web.get(one, self.get), web.patch(one, self.edit), web.delete(one, self.delete)]
        return routes

    async def respond(self, request: web.Request) -> web.Response:
        """Discord: Create Interaction Response."""
        interaction = self.by_token.get(request.match_info["interaction_token"])
        if interaction is None or interaction.id != path_id(request, "interaction_id"):
            raise Refused(404, 10062, "Unknown interaction")
        body = await _body(request)
        if interaction.answered is not None:
            raise Refused(400, 40060, "Interaction has already been acknowledged.")
        if interaction.lost(self.world.clock()):
            raise Refused(404, 10062, "Unknown interaction")
        kind = _kind(interaction, body.json)
        message = self._do(interaction, kind, body)
        interaction.answered = kind
        self.bell.ring()
        if not query_flag(request, "with_response"):
            return nothing()
        return answer(self._response(interaction, kind, message))

    def _do(self, interaction: Interaction, kind: int, body: Body) -> Message | None:
        """Carry out a first answer."""
        data, form = body.json.get("data"), Form()
        if kind == SUGGEST:
            choices = (form.mapping(("data",), data) or {}).get("choices")
            if choices is None:
                form.required(("data", "choices"))
            found = read_choices(form, ("data", "choices"), choices, interaction.focused_type or STRING)
            form.check()
            interaction.choices = found
        elif kind == SHOW_MODAL:
            modal = read_modal(form, ("data",), data)
            form.check()
            interaction.modal = modal
        elif kind in {DEFER_UPDATE, UPDATE}:
            return self._update(interaction, body if kind == UPDATE else None)
        else:
            return self._answer(interaction, body, thinking=kind == DEFER)
        return None

    def _update(self, interaction: Interaction, body: Body | None) -> Message:
        """Change the message the component is on, now or later."""
        source = self.mailbox.find(interaction.channel_id, interaction.source_id or 0)
        if source is None:
            raise Refused(404, 10008, "Unknown Message")
        if body is not None:
            draft = read_edit(body.json.get("data"), body.files, existing(source), path=("data",))
            source = self.mailbox.edit(source, draft, body.files)
        interaction.original_id = source.id
        interaction.states.append(source)
        return source

    def _answer(self, interaction: Interaction, body: Body, *, thinking: bool) -> Message:
        """A new message; one that only shows that the bot is thinking takes no flag but EPHEMERAL."""
        data = body.json.get("data")
        if thinking:
            flags = data.get("flags") if isinstance(data, dict) else 0
            shown = LOADING | (flags & EPHEMERAL if isinstance(flags, int) else 0)
            message = self.mailbox.send(interaction.channel_id, None, {}, flags=shown, **self._origin(interaction))
        else:
            draft = read_message(data, body.files, path=("data",))
            message = self.mailbox.send(interaction.channel_id, draft, body.files, **self._origin(interaction))
        interaction.original_id = message.id
        interaction.messages.append(message.id)
        interaction.states.append(message)
        return message

    def _origin(self, interaction: Interaction, *, follow_up: bool = False) -> dict[str, Any]:
        """How a message says where it comes from."""
        user = self.world.user(interaction.user_id)
        told: dict[str, Any] = {"interaction_metadata": interaction.metadata(user, follow_up=follow_up), "type": 0}
        target = interaction.original_id if follow_up else interaction.source_id
        if target is not None:
            told |= {"type": REPLY, "reference": self._reference(interaction, target)}
        elif interaction.type == COMMAND:
            told["type"] = CHAT_INPUT_COMMAND if interaction.command_type == 1 else CONTEXT_MENU_COMMAND
            if interaction.command_type == 3 and interaction.target_id is not None:  # noqa: PLR2004 - MESSAGE
                told["reference"] = self._reference(interaction, interaction.target_id)
        return told

    def _reference(self, interaction: Interaction, message_id: int) -> dict[str, Any]:
        reference = {"type": 0, "channel_id": str(interaction.channel_id), "message_id": str(message_id)}
        return reference | ({"guild_id": str(interaction.guild_id)} if interaction.guild_id is not None else {})

    def _response(self, interaction: Interaction, kind: int, message: Message | None) -> dict[str, Any]:
        """Discord: Interaction Callback Response Object."""
        told: dict[str, Any] = {"id": str(interaction.id), "type": interaction.type}
        if message is not None and kind in {SEND, DEFER, UPDATE}:
            told["response_message_id"] = str(message.id)
            told["response_message_loading"] = bool(message.flags & LOADING)
            told["response_message_ephemeral"] = bool(message.flags & EPHEMERAL)
        response: dict[str, Any] = {"interaction": told}
        if message is not None and kind in {SEND, UPDATE}:
            response["resource"] = {"type": kind, "message": self.world.payload_of(message)}
        return response

    # With the token, for fifteen minutes.

    async def follow_up(self, request: web.Request) -> web.Response:
        """Discord: Create Followup Message."""
        interaction = self._by_webhook(request)
        body = await _body(request)
        original = self.mailbox.find(interaction.channel_id, interaction.original_id or 0)
        if interaction.answered == DEFER and original is not None and original.flags & LOADING:
            return answer(self.world.payload_of(self._edited(interaction, original, body)))
        draft = read_message(body.json, body.files)
        origin = self._origin(interaction, follow_up=True)
        message = self.mailbox.send(interaction.channel_id, draft, body.files, **origin)
        interaction.messages.append(message.id)
        interaction.states.append(message)
        self.bell.ring()
        return answer(self.world.payload_of(message))

    async def get(self, request: web.Request) -> web.Response:
        """Discord: Get Original Interaction Response, Get Followup Message."""
        return answer(self.world.payload_of(self._message(request, self._by_webhook(request))))

    async def edit(self, request: web.Request) -> web.Response:
        """Discord: Edit Original Interaction Response, Edit Followup Message."""
        interaction = self._by_webhook(request)
        body = await _body(request)
        message = self._message(request, interaction)
        return answer(self.world.payload_of(self._edited(interaction, message, body)))

    async def delete(self, request: web.Request) -> web.Response:
        """Discord: Delete Original Interaction Response, Delete Followup Message."""
        self.mailbox.delete(self._message(request, self._by_webhook(request)))
        self.bell.ring()
        return nothing()

    def _edited(self, interaction: Interaction, message: Message, body: Body) -> Message:
        draft = read_edit(body.json, body.files, existing(message))
        edited = self.mailbox.edit(message, draft, body.files)
        interaction.states.append(edited)
        self.bell.ring()
        return edited

    def _by_webhook(self, request: web.Request) -> Interaction:
        """The interaction whose token the path carries, while the token is worth something."""
        if path_id(request, "webhook_id") != self.world.application.id:
            raise Refused(404, 10015, "Unknown Webhook")
        interaction = self.by_token.get(request.match_info["webhook_token"])
        if interaction is None or interaction.expired(self.world.clock()):
            raise Refused(401, 50027, "Invalid Webhook Token")
        if interaction.answered is None or interaction.type == AUTOCOMPLETE:
            raise Refused(404, 10015, "Unknown Webhook")
        return interaction

    def _message(self, request: web.Request, interaction: Interaction) -> Message:
        if "message_id" in request.match_info:
            message_id = path_id(request, "message_id")
            mine = message_id in {*interaction.messages, interaction.original_id}
        else:
            message_id, mine = interaction.original_id or 0, True
        message = self.mailbox.find(interaction.channel_id, message_id) if mine else None
        if message is None:
            raise Refused(404, 10008, "Unknown Message")
        return message


def _kind(interaction: Interaction, body: Any) -> int:
    """The type of a first answer, if it fits the interaction."""
    form = Form()
    mapping = form.mapping((), body)
    allowed = _ALLOWED[interaction.type]
    if interaction.type == MODAL and interaction.is_component:
        allowed = (SEND, DEFER, DEFER_UPDATE, UPDATE)
    kind = 0
    if mapping is not None and mapping.get("type") is None:
        form.required(("type",))
    elif mapping is not None:
        kind = form.choice(("type",), mapping["type"], allowed) or 0
    form.check()
    return kind


async def _body(request: web.Request) -> Body:
    return read_body(request.headers.get("Content-Type", ""), await request.read())
