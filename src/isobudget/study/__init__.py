"""A study: the file that describes a run to make."""

from isobudget.study.read import load_study, shipped_studies
from isobudget.study.study import Study, StudyModel

__all__ = ["Study", "StudyModel", "load_study", "shipped_studies"]
