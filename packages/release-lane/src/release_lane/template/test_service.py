"""Does the service do its job? Replace this with a few checks of what your users come for: see README.md."""

from typing import Any


def test_the_first_page_is_no_failure(site: Any) -> None:
    answer = site.get("/")
    assert answer.status_code < 500, f"GET {answer.url}: got status {answer.status_code}, expected less than 500"
