"""Grafana: the platform's dashboard, its data source and how both are provisioned."""
