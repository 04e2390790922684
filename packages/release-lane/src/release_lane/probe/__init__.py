"""What do users get while something changes? An open-loop prober.

`Probe` runs it during other work; `python -m release_lane.probe URL` from a shell.
"""

from release_lane.probe.process import Probe
from release_lane.probe.tally import Counts, Failure, Latency, Release, Report

__all__ = ["Counts", "Failure", "Latency", "Probe", "Release", "Report"]
