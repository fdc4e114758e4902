"""The one place every sentence for people passes through, so that a translation needs no other."""

import gettext

CATALOGUE = gettext.NullTranslations()


def say(template: str, /, **values: object) -> str:
    """Return the sentence with its values filled in; values are not looked at for braces."""
    return CATALOGUE.gettext(template).format(**values)


def count(number: int, one: str, many: str, /, **values: object) -> str:
    """Return the form that fits the number; ``{n}`` is the number as people write it."""
    return CATALOGUE.ngettext(one, many, number).format(n=f"{number:,}", **values)
