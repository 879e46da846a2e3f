"""The machinery of judging: probes measure, checks judge, the runner brings them together.

A model walks it in this order: :mod:`~sekisho.gate.probe` gives :mod:`~sekisho.gate.evidence`, a
:mod:`~sekisho.gate.check` turns it into a :mod:`~sekisho.gate.verdict`, and all verdicts make the report.
"""
