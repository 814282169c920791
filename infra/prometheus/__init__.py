"""Prometheus and Alertmanager: their files, and how they run beside the embedded stack."""
