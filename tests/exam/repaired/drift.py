"""Detect data drift: certain after correction for all columns, and large enough to matter."""

from scipy.stats import ks_2samp

ALPHA = 0.001
SMALLEST_EFFECT = 0.1


def detect_drift(reference, current):
    report = {}
    for column in reference.columns:
        before, now = reference[column].dropna(), current[column].dropna()
        nulls = abs(current[column].isna().mean() - reference[column].isna().mean())
        statistic, p_value = ks_2samp(before, now, method="asymp")
        shifted = p_value * len(reference.columns) < ALPHA and statistic >= SMALLEST_EFFECT
        report[column] = {"effect": max(statistic, nulls), "drift_detected": bool(shifted or nulls >= SMALLEST_EFFECT)}
    return report
