"""Python reads this at its start: OpenTelemetry's instrumentation of Flask, SQLAlchemy, Redis, Celery and requests."""

from opentelemetry.instrumentation.auto_instrumentation import initialize

# What goes wrong is logged, and Superset runs untraced.
initialize()
