"""Estimators and their intervals: pure functions of counts and scores."""
