"""How fast the service is, beside a plain FastAPI service and the floors, on the same machine in the same run.

python -m benchmarks.serving
"""
