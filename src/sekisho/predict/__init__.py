"""The model made to answer, without a wire: validate, run, shape the answer."""
