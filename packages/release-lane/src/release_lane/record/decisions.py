"""The words for decisions, where they are written down: gates' inputs, plans, reviews, `--json`. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class DecisionKind(StrEnum):
    """What an update does. The decisions themselves are in `release_lane.decide.choice`."""

    PREPARE = "prepare"
    KEEP = "keep"
    HEAL = "heal"
    DEPLOY = "deploy"
    TRAFFIC_ONLY = "traffic-only"
    FINISH = "finish"
    REFUSE = "refuse"

    @property
    def moves_users(self) -> bool:
        """Does it end in a switch?"""
        match self:
            case DecisionKind.DEPLOY | DecisionKind.TRAFFIC_ONLY | DecisionKind.FINISH:
                return True
            case DecisionKind.PREPARE | DecisionKind.KEEP | DecisionKind.HEAL | DecisionKind.REFUSE:
                return False

    @classmethod
    def _missing_(cls, value: object) -> Any:
        """Words of earlier versions, which may stand in a state."""
        return cls.TRAFFIC_ONLY if value == "flip" else None
