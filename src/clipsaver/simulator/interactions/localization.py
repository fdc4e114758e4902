"""Discord's locales, their fallbacks, and localisation dictionaries in command bodies."""

from collections.abc import Callable, Mapping
from typing import Any

from clipsaver.simulator.interactions.forms import Form, Path

LOCALES = frozenset(
    {
        *("id", "da", "de", "en-GB", "en-US", "es-ES", "es-419", "fr", "hr", "it", "lt", "hu", "nl", "no", "pl"),
        *("pt-BR", "ro", "fi", "sv-SE", "vi", "tr", "cs", "el", "bg", "ru", "uk", "hi", "th", "zh-CN", "ja"),
        *("zh-TW", "ko"),
    }
)
FALLBACKS = {"en-US": "en-GB", "en-GB": "en-US", "es-419": "es-ES"}


def localized(values: Mapping[str, str] | None, locale: str) -> str | None:
    """What someone with this locale reads in place of the default, if anything."""
    if not values:
        return None
    return values.get(locale) or values.get(FALLBACKS.get(locale, ""))


def check_localizations(form: Form, path: Path, value: Any, check: Callable[[Form, Path, Any], None]) -> None:
    """Check a localisation dictionary: known locales, and each value by the rule of its field."""
    if value is None:
        return
    for locale, text in (form.mapping(path, value) or {}).items():
        if locale in LOCALES:
            check(form, (*path, locale), text)
        else:
            form.add((*path, locale), "BASE_TYPE_CHOICES", f"Value must be one of {sorted(LOCALES)}.")
