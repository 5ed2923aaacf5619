"""What Prometheus and Alertmanager need to know of a plan: rules, routes, and the tests of the rules.

The daemon decides and Prometheus carries: a rule about a model passes on `raincheck_incident_active` and computes no
threshold of its own; a rule about the pipeline tells what the daemon cannot tell when it is the one that is ill.
"""

from __future__ import annotations

from alerts.generate import Choices, generate
from alerts.runbook import runbook, runbook_names

__all__ = ["Choices", "generate", "runbook", "runbook_names"]
