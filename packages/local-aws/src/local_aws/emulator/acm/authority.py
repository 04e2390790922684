"""The local cloud's own certificate authority, and what can be known of a certificate. PEM in, PEM out.

Its key stays in the runtime folder, readable by its owner alone. Only clients of this local cloud trust it, see
`local_aws/trust.py`.
"""

from __future__ import annotations

import datetime
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local_aws.emulator.acm.model import Facts, Material
from local_aws.emulator.wire import ServiceError

CERTIFICATE, KEY = "ca.pem", "ca.key"
AUTHORITY_LASTS = 3650 * 86_400.0  # seconds
LASTS = 198 * 86_400.0  # seconds; programs refuse certificates of over 200 days since March 2026
SIGNATURES = {"sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

KEYS: dict[str, Callable[[], PrivateKey]] = {
    "RSA_2048": lambda: rsa.generate_private_key(65537, 2048),
    "EC_prime256v1": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EC_secp384r1": lambda: ec.generate_private_key(ec.SECP384R1()),
}
"""Those that ACM issues certificates for, and how such a key is made."""


@dataclass(frozen=True)
class Authority:
    certificate: x509.Certificate
    key: PrivateKey

    @classmethod
    def ensure(cls, folder: Path, now: float) -> Authority:
        """The one in this folder; it is made if there is none."""
        if not (folder / KEY).exists():
            _make(folder, now)
        return cls.read(folder)

    @classmethod
    def read(cls, folder: Path) -> Authority:
        certificate = x509.load_pem_x509_certificate((folder / CERTIFICATE).read_bytes())
        return cls(certificate, _key((folder / KEY).read_text()))

    def issue(
        self, names: Sequence[str], algorithm: str, not_before: float, not_after: float, key: PrivateKey | None = None
    ) -> Material:
        """A server's certificate for DNS names. Times are seconds since the epoch."""
        own = key or KEYS[algorithm]()
        alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        common = [x509.NameAttribute(NameOID.COMMON_NAME, names[0])] if len(names[0]) <= 64 else []
        made = (
            _begun(x509.Name(common), self.certificate.subject, own, not_before, not_after)
            .add_extension(alternatives, critical=not common)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        return Material(certificate=pem(made), chain=pem(self.certificate), key=key_pem(own))


def _make(folder: Path, now: float) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = KEYS["EC_prime256v1"]()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "local-aws"),
            # a shell may trust several local clouds: each authority has a name of its own
            x509.NameAttribute(NameOID.COMMON_NAME, f"local cloud {secrets.token_hex(4)}"),
        ]
    )
    made = (
        _begun(name, name, key, now - 3600, now + AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / CERTIFICATE).write_text(pem(made))
    draft = folder / f"{KEY}.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(key_pem(key))
    draft.replace(folder / KEY)  # last: with it the authority is complete


def _begun(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, not_before: float, not_after: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_time(not_before))
        .not_valid_after(_time(not_after))
    )


def _time(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        key_encipherment=not signs_certificates,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key: PrivateKey) -> str:
    encoding, bare = serialization.Encoding.PEM, serialization.NoEncryption()
    return key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, bare).decode()


def _key(text: str) -> PrivateKey:
    """Raises ValueError or TypeError (a key with a passphrase)."""
    found = serialization.load_pem_private_key(text.encode(), password=None)
    if not isinstance(found, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError("neither an RSA nor an elliptic curve key")
    return found


# ---------------------------------------------------------------- what a certificate says


def facts(certificate: str) -> Facts:
    """Of one certificate. Raises ValueError if it is none."""
    found = x509.load_pem_x509_certificate(certificate.encode())
    signed = found.signature_hash_algorithm.name if found.signature_hash_algorithm else "unknown"
    by = "ECDSA" if found.signature_algorithm_oid.dotted_string.startswith("1.2.840.10045") else "RSA"
    serial = f"{found.serial_number:x}"
    serial = serial.zfill(len(serial) + len(serial) % 2)
    return Facts(
        subject=found.subject.rfc4514_string(),
        issuer=found.issuer.rfc4514_string(),
        serial=":".join(serial[at : at + 2] for at in range(0, len(serial), 2)),
        names=_names(found),
        not_before=found.not_valid_before_utc.timestamp(),
        not_after=found.not_valid_after_utc.timestamp(),
        key_algorithm=_algorithm(found.public_key()),
        signature_algorithm=f"{SIGNATURES.get(signed, signed.upper())}WITH{by}",
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Common name first, then the alternative ones, each once."""
    common = [str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        listed = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        more = listed.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        more = []
    return tuple(dict.fromkeys([*common, *more]))


def _algorithm(key: object) -> str:
    match key:
        case rsa.RSAPublicKey():
            return f"RSA_{key.key_size}"
        case ec.EllipticCurvePublicKey():
            name = {"secp256r1": "prime256v1"}.get(key.curve.name, key.curve.name)
            return f"EC_{name}"
        case _:
            raise ValueError("neither an RSA nor an elliptic curve key")


def check(material: Material, now: float) -> Facts:
    """What ACM checks before it imports a certificate. Raises ServiceError ValidationException.

    https://docs.aws.amazon.com/acm/latest/userguide/import-certificate-prerequisites.html
    """
    try:
        found = x509.load_pem_x509_certificates(material.certificate.encode())
        said = facts(material.certificate)
    except ValueError as error:
        raise _invalid("The certificate field is not a certificate in PEM format") from error
    if len(found) > 1:
        raise _invalid(
            "The certificate field contains more than one certificate. "
            "You can specify only one certificate in this field"
        )
    _check_key(found[0], material.key)
    if not said.not_before <= now <= said.not_after:
        raise _invalid("The certificate is not valid now: it has expired, or its validity period has not begun")
    _check_chain(found[0], material.chain)
    return said


def _check_key(certificate: x509.Certificate, text: str) -> None:
    try:
        key = _key(text)
    except (ValueError, TypeError) as error:
        raise _invalid("The private key is not an unencrypted key in PEM format") from error
    if key.public_key() != certificate.public_key():
        raise _invalid("The private key does not match the certificate")


def _check_chain(certificate: x509.Certificate, chain: str) -> None:
    try:
        above = x509.load_pem_x509_certificates(chain.encode()) if chain.strip() else [certificate]
    except ValueError as error:
        raise _invalid("The certificate chain is not in PEM format") from error
    try:
        certificate.verify_directly_issued_by(above[0])
    except Exception as error:
        if chain.strip():
            raise _invalid("Could not validate the certificate with the certificate chain") from error
        raise _invalid(
            "Provided certificate is not a valid self signed. Please provide either a valid self-signed certificate "
            "or certificate chain"
        ) from error


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", f"{message}.")
