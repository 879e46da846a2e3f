"""Watching a service that has been deployed: alert rules with their trials, the dashboard, and the scraping of metrics."""
