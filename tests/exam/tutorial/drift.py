"""Detect data drift with the Kolmogorov-Smirnov test."""

from scipy.stats import ks_2samp


def detect_drift(reference, current, threshold=0.05):
    report = {}
    for column in reference.columns:
        statistic, p_value = ks_2samp(reference[column], current[column])
        report[column] = {"statistic": statistic, "p_value": p_value, "drift_detected": p_value < threshold}
    return report
