"""The HTTP side. `handle_request` is what ministack calls."""

from __future__ import annotations

from local_aws.emulator.query import Given, QueryApi

_API = QueryApi("RDS", "rds", "http://rds.amazonaws.com/doc/2014-10-31/", Given)
attach, handle_request, answer = _API.attach, _API.handle_request, _API.answer
