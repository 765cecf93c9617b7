"""A curated set as files for supervised fine-tuning."""

from s1data.export.exporting import Exported, Options, export
from s1data.export.formats import FORMATS

__all__ = ["FORMATS", "Exported", "Options", "export"]
