"""The libraries of gradient boosting: their models as files of their own, looked at before they are parsed."""
