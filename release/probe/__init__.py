"""What do users get while something changes? An open-loop prober.

`Probe` runs it beside other work; `python -m release.probe URL` from a shell.
"""

from release.probe.process import Probe
from release.probe.tally import Counts, Failure, Latency, Release, Report

__all__ = ["Counts", "Failure", "Latency", "Probe", "Release", "Report"]
