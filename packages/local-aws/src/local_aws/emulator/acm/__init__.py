"""AWS Certificate Manager, our own: certificates that load balancers really serve with.

    api ──> service ──> actions (state, request -> state, answer)
               │  ├───> authority (keys and certificates)
               │  ├───> records (is the validation record in Route 53?)
               │  └───> store: one JSON file, with the keys, for its owner alone
               └──────> load balancers: who uses one, and who must hear that it was imported anew

How it behaves, and where AWS differs
- A request is issued at the first look after its records exist (AWS: some minutes later); its records are named at once
  (AWS: after some seconds). Validation by e-mail, private authorities and exported keys are not carried.
- The local cloud's own authority issues. Its certificate is in LOCAL_AWS_CA_BUNDLE (local_aws/trust.py).
- Nothing is renewed: a certificate is good for 198 days. Certificates with over 10 names are refused (AWS: a quota).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from local_aws.emulator.acm.service import Service

_running: Service | None = None


def start(environ: Mapping[str, str] = os.environ) -> None:
    """Go on from the state under LOCAL_EMULATOR_STATE. Raises wire.Unreadable."""
    global _running
    from local_aws.emulator.acm import api

    _running = Service(Path(environ.get("LOCAL_EMULATOR_STATE", ".local/emulator")).absolute())
    api.attach(_running)


def running() -> Service | None:
    """For load balancers in the same process."""
    return _running


def stop() -> None:
    """What is stored stays."""
    global _running
    from local_aws.emulator.acm import api

    api.attach(None)
    _running = None
