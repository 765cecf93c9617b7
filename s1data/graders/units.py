r"""What stands behind a number: units of measure under one name each, and other words as they are.

Symbols are read with their case (``mg`` is not ``Mg``), names without (``Metres``). No unit is
converted. What is no unit of measure may change the value (*million*, *dozen*) or the sense (*BC*,
*loss*) of a number, so that it is only ever compared with itself.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_PREFIXES: Final = {
    "p": "pico", "n": "nano", "u": "micro", "μ": "micro", "µ": "micro", "m": "milli",
    "c": "centi", "d": "deci", "k": "kilo", "M": "mega", "G": "giga", "T": "tera",
}  # fmt: skip
_SCALED: Final = (
    "m meter metre", "g gram gramme", "s second sec", "l liter litre", "L liter litre",
    "J joule", "W watt", "V volt", "A ampere amp", "N newton", "Pa pascal", "Hz hertz",
    "C coulomb", "F farad", "H henry", "T tesla", "Wb weber", "\u03a9 ohm", "K kelvin",
    "mol mole", "eV electronvolt", "cal calorie", "bar", "M molar", "B byte", "bit", "Bq becquerel",
)  # fmt: skip
_PLAIN: Final = (
    "min minute", "h hr hrs hour", "day", "week", "month", "year yr yrs", "in inch inches",
    "ft foot feet", "yd yds yard", "mi mile", "oz ounce", "lb lbs pound", "ton", "tonne t",
    "atm atmosphere", "mmHg", "torr Torr", "psi", "mph", "kmh kph", "rpm", "acre", "gallon gal",
    "ha hectare", "\u00b0 degree deg", "rad radian", "\u00b0C", "\u00b0F", "dB decibel",
    "$ dollar USD", "cent \u00a2", "\u20ac euro EUR", "\u00a3 GBP", "\u00a5 yen yuan RMB",
    "\u20b9 Rs rupee",
    "au AU", "u amu", "knot", "unit",
)  # fmt: skip


def _known() -> dict[str, str]:
    known = {}
    for names in _PLAIN:
        for name in names.split():
            known[name] = names.split()[0]
            known.setdefault(name + "s" if len(name) > 2 else name, names.split()[0])
    for names in _SCALED:
        symbol, *words = names.split()
        canonical = "l" if symbol == "L" else symbol
        for short, long in {"": "", **_PREFIXES}.items():
            one = short.replace("\u03bc", "u").replace("\u00b5", "u") + canonical
            known.setdefault(short + symbol, one)
            for word in words or [symbol]:
                known.setdefault(long + word, one)
                known.setdefault(long + word + "s", one)
    return known


_KNOWN: Final = _known()
_PART: Final = re.compile(
    r"([^\W\d_]+|[\u00b0$\u20ac\u00a3\u00a5\u20b9\u00a2])[.]?(?:\^\{?(-?\d)\}?)?|(/)"
)
_POWERS: Final = {"square": "2", "sq": "2", "cubic": "3", "cu": "3"}
_BEHIND: Final = {"squared": "2", "cubed": "3"}


@lru_cache(maxsize=65_536)
def spelled(text: str) -> tuple[str, bool]:
    """One spelling of what stands behind a number, and whether all of it is units of measure."""
    text = re.sub(r"\^\s*\{?\s*\\circ\s*\}?\s*", "\u00b0", text)
    text = re.sub(r"\bdegrees?\s+(?:[Cc]elsius|C\b)", "\u00b0C", text)
    text = re.sub(r"\bdegrees?\s+(?:[Ff]ahrenheit|F\b)", "\u00b0F", text)
    text = re.sub(r"\u00b0\s*([CF])\b", r" degree\1 ", re.sub(r"\bper\b", "/", text))
    over: list[str] = []
    under: list[str] = []
    known, power, below = True, "", False
    for word, exponent, slash in _PART.findall(text):
        side = under if below else over
        if slash:
            below = True
        elif word in _POWERS:
            power = _POWERS[word]
        elif word in _BEHIND and side and _KNOWN.get(side[-1]):
            side[-1] += "^" + _BEHIND[word]
        else:
            name = _name(word)
            known = known and name is not None
            raised = exponent or power
            side.append((name or word.casefold()) + (f"^{raised}" if raised else ""))
            power = ""
    one = "*".join(sorted(over) if known else over)
    return one + ("/" + "*".join(sorted(under)) if under else ""), known and bool(over)


def _name(word: str) -> str | None:
    if word in ("degreeC", "degreeF"):
        return "\u00b0" + word[-1]
    found = _KNOWN.get(word)
    return found or (_KNOWN.get(word.casefold()) if len(word) > 3 else None)


_LAST: Final = re.compile(
    r"\s*\\(?:text|mathrm|mbox|textrm|operatorname)\s*\{([^{}]*)\}\s*((?:\^\s*\{?-?\d\}?)?)[\s.$]*$"
    r"|(?<=[\d})a-z])\s+([A-Za-z]{2,12}(?:/[A-Za-z]{1,6})?(?:\^\{?-?\d\}?)?)[\s.$]*$"
)


def split(text: str) -> tuple[str, str]:
    """An expression without the unit of measure behind it, and that unit; empty for none."""
    text = text.strip()
    if text.startswith("$") and text.endswith("$") and text.count("$") == 2:
        text = text[1:-1]
    found = _LAST.search(text[-200:])
    if found is None:
        return text, ""
    unit, known = spelled(
        (found[1] or "").strip() + found[2].strip() if found[1] else found[3] or ""
    )
    start = len(text) - len(text[-200:]) + found.start()
    return (text[:start].strip(), unit) if known and start > 0 else (text, "")
