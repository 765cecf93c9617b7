"""Lists of fields that questions are sorted into, as data.

The codes of the Mathematics Subject Classification 2020 are facts and are given as they are; the
names beside them are our own short ones, since the classification's titles are not free to copy.
"""

from __future__ import annotations

from typing import Final

MSC: Final[dict[str, str]] = {
    "00": "general and recreational maths",
    "01": "history of maths",
    "03": "logic and set theory",
    "05": "combinatorics and graphs",
    "06": "orders and lattices",
    "08": "universal algebra",
    "11": "number theory",
    "12": "fields and polynomials",
    "13": "commutative rings",
    "14": "algebraic geometry",
    "15": "matrices and linear algebra",
    "16": "associative rings",
    "17": "non-associative algebra",
    "18": "categories",
    "19": "K-theory",
    "20": "groups",
    "22": "topological groups",
    "26": "functions of real variables",
    "28": "measures and integrals",
    "30": "one complex variable",
    "31": "potentials",
    "32": "several complex variables",
    "33": "special functions",
    "34": "ordinary differential equations",
    "35": "partial differential equations",
    "37": "dynamical systems",
    "39": "difference and functional equations",
    "40": "sequences and series",
    "41": "approximation",
    "42": "Fourier analysis",
    "43": "abstract harmonic analysis",
    "44": "integral transforms",
    "45": "integral equations",
    "46": "function spaces",
    "47": "operators",
    "49": "variations and optimal control",
    "51": "geometry",
    "52": "convex and discrete geometry",
    "53": "differential geometry",
    "54": "general topology",
    "55": "algebraic topology",
    "57": "manifolds",
    "58": "global analysis",
    "60": "probability",
    "62": "statistics",
    "65": "numerical methods",
    "68": "computing",
    "70": "mechanics of particles and bodies",
    "74": "solids",
    "76": "fluids",
    "78": "optics and electromagnetism",
    "80": "heat and thermodynamics",
    "81": "quantum theory",
    "82": "statistical physics and matter",
    "83": "relativity and gravity",
    "85": "astronomy",
    "86": "geophysics",
    "90": "operations research",
    "91": "games, economics and society",
    "92": "biology",
    "93": "systems and control",
    "94": "information and circuits",
    "97": "teaching of maths",
}
"""Two-digit code to our short name; all 63 top-level codes."""

TAXONOMIES: Final[dict[str, dict[str, str]]] = {"msc": MSC}
"""The lists that a recipe may name."""
