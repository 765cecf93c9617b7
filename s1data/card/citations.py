"""What to cite for sources that are known by their repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from s1data.recipe import Pipeline

_S1: Final = """\
@misc{muennighoff2025s1,
  title = {s1: Simple test-time scaling},
  author = {Niklas Muennighoff and Zitong Yang and Weijia Shi and Xiang Lisa Li and others},
  year = {2025},
  eprint = {2501.19393},
  archivePrefix = {arXiv}
}"""
_OPEN_THOUGHTS: Final = """\
@misc{guha2025openthoughts,
  title = {OpenThoughts: Data Recipes for Reasoning Models},
  author = {Etash Guha and Ryan Marten and Sedrick Keh and others},
  year = {2025},
  eprint = {2506.04178},
  archivePrefix = {arXiv}
}"""
_LIMO: Final = """\
@misc{ye2025limo,
  title = {LIMO: Less is More for Reasoning},
  author = {Yixin Ye and Zhen Huang and Yang Xiao and Ethan Chern and others},
  year = {2025},
  eprint = {2502.03387},
  archivePrefix = {arXiv}
}"""
_OPEN_R1: Final = """\
@misc{openr1,
  title = {Open R1: A fully open reproduction of DeepSeek-R1},
  author = {{Hugging Face}},
  year = {2025},
  url = {https://github.com/huggingface/open-r1}
}"""
BY_OWNER: Final[Mapping[str, str]] = {
    "simplescaling/": _S1,
    "qfq/": _S1,
    "open-thoughts/": _OPEN_THOUGHTS,
    "gair/limo": _LIMO,
    "open-r1/": _OPEN_R1,
}


def of(pipeline: Pipeline, manifest: Mapping[str, Any]) -> Iterator[str]:
    """BibTeX of each source that is known, and of s1 for its own recipe and selector."""
    repos = [str(s.get("repo", "")) for s in manifest["sources"].values()]
    repos += [s.hub or "" for s in pipeline.sources]
    if any(stage.stage_name() == "keep_s1" for stage in pipeline.stages):
        repos.append("simplescaling/s1K")
    found = {
        text: None
        for repo in repos
        for begins, text in BY_OWNER.items()
        if repo.lower().startswith(begins)
    }
    yield from found
