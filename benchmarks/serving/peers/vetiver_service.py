"""vetiver as its guide shows it: ``VetiverModel`` with a prototype, ``VetiverAPI``, uvicorn."""

from __future__ import annotations

import os

import joblib
from vetiver import VetiverAPI, VetiverModel  # type: ignore[import-not-found]

prototype = joblib.load(os.environ["PROTOTYPE"])
served = VetiverModel(joblib.load(os.environ["MODEL"]), "model", prototype_data=prototype)
app = VetiverAPI(served, check_prototype=True).app
