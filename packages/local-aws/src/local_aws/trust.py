"""Whom clients of a local cloud trust: everybody whom this machine trusts, and the local cloud's own authority.

Load balancers serve with certificates of that authority. A bundle with its certificate and all the others is announced
in the variables that clients read anyway, so none of them needs to know of a local cloud: OpenSSL, Python and Go, curl
(SSL_CERT_FILE, CURL_CA_BUNDLE), requests (REQUESTS_CA_BUNDLE); and in one of our own.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

OURS = "LOCAL_AWS_CA_BUNDLE"
GIVEN = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SYSTEMS = (Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/pki/tls/certs/ca-bundle.crt"))
"""Debian's and its kin's, Fedora's and its kin's."""

MARK = "# The authority of a local cloud"


def trusting(bundle: Path) -> dict[str, str]:
    """The variables that announce it."""
    return dict.fromkeys((OURS, *GIVEN), str(bundle))


def write_bundle(authority: Path, bundle: Path, environ: Mapping[str, str] = os.environ) -> None:
    """What this machine trusts, and the authority. Another local cloud's, in a bundle of `environ`, is left out."""
    trusted = "".join(_without_ours(path.read_text()) for path in _trusted(environ))
    draft = bundle.with_suffix(".new")
    draft.write_text(f"{trusted.rstrip()}\n\n{MARK}, by `local-aws up`\n{authority.read_text()}")
    draft.replace(bundle)


def _trusted(environ: Mapping[str, str]) -> Sequence[Path]:
    """Files that somebody named, as behind a proxy that reads along; otherwise the system's, or the one of requests."""
    named = [Path(environ[name]) for name in GIVEN if environ.get(name)]
    if found := [path for path in dict.fromkeys(named) if path.is_file()]:
        return found
    system = [Path(ssl.get_default_verify_paths().openssl_cafile), *SYSTEMS, Path(DEFAULT_CA_BUNDLE_PATH)]
    return [path for path in system if path.is_file()][:1]


def _without_ours(text: str) -> str:
    return text.partition(MARK)[0]
