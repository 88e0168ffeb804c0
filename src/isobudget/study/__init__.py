"""A study: the file that describes a run to make."""

from isobudget.study.flags import flagged_fields, read_setting
from isobudget.study.read import load_study, shipped_studies
from isobudget.study.study import StatedModel, Study, StudyModel, stated_model

__all__ = [
    "StatedModel",
    "Study",
    "StudyModel",
    "flagged_fields",
    "load_study",
    "read_setting",
    "shipped_studies",
    "stated_model",
]
