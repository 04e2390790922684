"""The certificate authorities that clients of a local cloud trust: those of this machine, and the local cloud's own.

Load balancers serve with certificates of the local cloud's authority. One bundle holds it and all the others. It is
announced in the variables that clients read anyway, so that no client needs an option for the local cloud:
SSL_CERT_FILE (OpenSSL, Python, Go), CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE; and in a variable of our own.
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
    """The roots of this machine, then the authority. Another local cloud's, in a bundle of `environ`, is left out."""
    trusted = "".join(without_ours(path.read_text()) for path in _trusted(environ))
    draft = bundle.with_suffix(".new")
    draft.write_text(f"{trusted.rstrip()}\n\n{MARK}, by `local-aws up`\n{authority.read_text()}")
    draft.replace(bundle)


def _trusted(environ: Mapping[str, str]) -> Sequence[Path]:
    """The files that `environ` names, as behind an intercepting proxy; without any, the system's, or requests' own."""
    named = [Path(environ[name]) for name in GIVEN if environ.get(name)]
    if found := [path for path in dict.fromkeys(named) if path.is_file()]:
        return found
    system = [Path(ssl.get_default_verify_paths().openssl_cafile), *SYSTEMS, Path(DEFAULT_CA_BUNDLE_PATH)]
    return [path for path in system if path.is_file()][:1]


def without_ours(text: str) -> str:
    """A bundle without the authority of a local cloud."""
    return text.partition(MARK)[0].rstrip() + "\n"
