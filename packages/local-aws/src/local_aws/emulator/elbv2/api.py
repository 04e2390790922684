"""The HTTP side. `handle_request` is what ministack calls."""

from __future__ import annotations

from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.query import QueryApi

NAMESPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"
_API = QueryApi("Elastic Load Balancing", "elbv2", NAMESPACE, Params)
attach, handle_request, answer = _API.attach, _API.handle_request, _API.answer
