"""Grafana's dashboards: defined here, written as JSON, read by Grafana from a folder."""
