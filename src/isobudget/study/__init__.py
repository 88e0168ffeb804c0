"""A study: the file that describes a run to make."""

from isobudget.study.read import load_study, read_setting, shipped_studies
from isobudget.study.study import StatedModel, Study, StudyModel, stated_model

__all__ = ["StatedModel", "Study", "StudyModel", "load_study", "read_setting", "shipped_studies", "stated_model"]
