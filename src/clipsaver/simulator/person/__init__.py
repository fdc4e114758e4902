"""A person at Discord's client: uses commands and components, and reads what comes back."""

from clipsaver.simulator.person.person import Person
from clipsaver.simulator.person.refusals import NoAnswer, PersonRefused
from clipsaver.simulator.person.reply import Reply
from clipsaver.simulator.person.shown import Shown

__all__ = ["NoAnswer", "Person", "PersonRefused", "Reply", "Shown"]
