"""What measuring needs of statistics: scores and their names, intervals, resampling, plain baselines.

Nothing here knows a project or a model; everything is a function of arrays.
"""
