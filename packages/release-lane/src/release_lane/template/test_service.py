"""Does the service do its job? Replace this with a few checks of what your users come for, safe on production.

They run twice in each release: no sleeps, few, and compare values. The message is what the person who releases sees.
"""

from typing import Any


def test_the_first_page_is_no_failure(site: Any) -> None:
    answer = site.get("/")
    assert answer.status_code < 500, f"GET {answer.url}: got status {answer.status_code}, expected less than 500"
