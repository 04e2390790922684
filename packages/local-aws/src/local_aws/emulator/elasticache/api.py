"""The HTTP side. `handle_request` is what ministack calls."""

from __future__ import annotations

from local_aws.emulator.query import Given, QueryApi

_API = QueryApi("ElastiCache", "elasticache", "http://elasticache.amazonaws.com/doc/2015-02-02/", Given)
attach, handle_request, answer = _API.attach, _API.handle_request, _API.answer
