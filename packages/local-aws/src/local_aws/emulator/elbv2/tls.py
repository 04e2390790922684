"""Security policies: which TLS protocols and ciphers an HTTPS listener takes. Those that AWS has, by their names.

Policies for FIPS differ by what they lack; that the library is a validated one is not so here. Those with PQ in their
names offer further key exchanges on AWS, which are left out here. The ones of RFC 9151 are not known here.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_POLICY = "ELBSecurityPolicy-2016-08"
"""What the API takes where none is given."""

TLS_1_0, TLS_1_1, TLS_1_2, TLS_1_3 = "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"
FROM_1_0, FROM_1_1, FROM_1_2 = (TLS_1_0, TLS_1_1, TLS_1_2), (TLS_1_1, TLS_1_2), (TLS_1_2,)
FIPS = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384")
ONE_THREE = (*FIPS, "TLS_CHACHA20_POLY1305_SHA256")
"""Ciphers of TLS 1.3."""

GCM = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
CBC = (
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES256-SHA384",
)
SHA1 = (
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-ECDSA-AES256-SHA",
)
PLAIN = ("AES128-GCM-SHA256", "AES128-SHA256", "AES256-GCM-SHA384", "AES256-SHA256")
PLAIN_SHA1 = ("AES128-SHA", "AES256-SHA")
FORWARD = (*GCM, *CBC)
EXTENDED_0 = (*FORWARD, *SHA1)
EXTENDED_1 = (*FORWARD, *PLAIN)
EXTENDED_2 = (*FORWARD, *SHA1, *PLAIN, *PLAIN_SHA1)


@dataclass(frozen=True)
class Policy:
    """`protocols` from the oldest to the newest; `ciphers` of all of them, by preference."""

    name: str
    protocols: tuple[str, ...]
    ciphers: tuple[str, ...]


def _of_1_3(name: str, older: tuple[str, ...], ciphers: tuple[str, ...]) -> list[Policy]:
    """A policy with TLS 1.3, and its kin for FIPS and with post-quantum key exchange."""
    protocols = (*older, TLS_1_3)
    made = [Policy(f"ELBSecurityPolicy-TLS13-{name}-2021-06", protocols, (*ONE_THREE, *ciphers))]
    made += [Policy(f"ELBSecurityPolicy-TLS13-{name}-FIPS-2023-04", protocols, (*FIPS, *ciphers))]
    if name not in ("1-0", "1-1"):
        made += [
            Policy(f"ELBSecurityPolicy-TLS13-{name}-PQ-2025-09", protocols, (*ONE_THREE, *ciphers)),
            Policy(f"ELBSecurityPolicy-TLS13-{name}-FIPS-PQ-2025-09", protocols, (*FIPS, *ciphers)),
        ]
    return made


_ALL = (
    Policy(DEFAULT_POLICY, FROM_1_0, EXTENDED_2),
    *_of_1_3("1-2", FROM_1_2, FORWARD),
    *_of_1_3("1-2-Res", FROM_1_2, GCM),
    *(one for one in _of_1_3("1-2-Ext0", FROM_1_2, EXTENDED_0) if "FIPS" in one.name),
    *_of_1_3("1-2-Ext1", FROM_1_2, EXTENDED_1),
    *_of_1_3("1-2-Ext2", FROM_1_2, EXTENDED_2),
    *_of_1_3("1-1", FROM_1_1, EXTENDED_2),
    *_of_1_3("1-0", FROM_1_0, EXTENDED_2),
    *_of_1_3("1-3", (), ()),
    Policy("ELBSecurityPolicy-TLS-1-2-Ext-2018-06", FROM_1_2, EXTENDED_2),
    Policy("ELBSecurityPolicy-TLS-1-2-2017-01", FROM_1_2, EXTENDED_1),
    Policy("ELBSecurityPolicy-TLS-1-1-2017-01", FROM_1_1, EXTENDED_2),
    Policy("ELBSecurityPolicy-FS-1-2-Res-2020-10", FROM_1_2, GCM),
    Policy("ELBSecurityPolicy-FS-1-2-Res-2019-08", FROM_1_2, FORWARD),
    Policy("ELBSecurityPolicy-FS-1-2-2019-08", FROM_1_2, EXTENDED_0),
    Policy("ELBSecurityPolicy-FS-1-1-2019-08", FROM_1_1, EXTENDED_0),
    Policy("ELBSecurityPolicy-FS-2018-06", FROM_1_0, EXTENDED_0),
)
POLICIES: Mapping[str, Policy] = {one.name: one for one in _ALL}
