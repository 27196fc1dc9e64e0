"""Content credentials made on the spot: a certificate authority, a signer, and files signed with them."""

import datetime
import io
import json
from dataclasses import dataclass

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_QUIET = {"verify": {"verify_after_sign": False}, "builder": {"thumbnail": {"enabled": False}}}


@dataclass(frozen=True)
class Authority:
    """A signer's chain and key, and the root that a trust list would hold; all PEM."""

    chain: str
    key: str
    root: str


def authority(organisation: str) -> Authority:
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = (_name(organisation, word) for word in ("root", "signer"))
    root = _certificate(root_name, root_name, root_key.public_key(), root_key, ca=True)
    leaf = _certificate(name, root_name, key.public_key(), root_key, purpose=ExtendedKeyUsageOID.EMAIL_PROTECTION)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Authority(
        (leaf.public_bytes(pem) + root.public_bytes(pem)).decode(), private.decode(), root.public_bytes(pem).decode()
    )


def _name(organisation: str, common: str) -> x509.Name:
    pairs = ((NameOID.COUNTRY_NAME, "GB"), (NameOID.ORGANIZATION_NAME, organisation), (NameOID.COMMON_NAME, common))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])


def _certificate(name, issuer, public, signing_key, ca=False, purpose=None) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    flags = (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "encipher_only",
        "decipher_only",
    )
    usage = x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, **dict.fromkeys(flags, False))
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + 30 * day)
        .add_extension(x509.BasicConstraints(ca, None), True)
        .add_extension(usage, True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), False)
    )
    if purpose:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), True)
    return builder.sign(signing_key, hashes.SHA256())


def manifest(*actions: dict, generator: str = "Test Program", more: tuple[dict, ...] = ()) -> dict:
    listed = {"label": "c2pa.actions.v2", "data": {"actions": list(actions)}}
    return {"claim_generator_info": [{"name": generator, "version": "1.0"}], "assertions": [listed, *more]}


def action(name: str, source: str = "", agent: str = "", **rest: str) -> dict:
    found: dict = {"action": f"c2pa.{name}", **rest}
    if source:
        found["digitalSourceType"] = SOURCE_TYPES + source
    if agent:
        found["softwareAgent"] = {"name": agent}
    return found


def ingredient(content: bytes, relationship: str = "parentOf", title: str = "cat.jpg") -> tuple[dict, bytes]:
    """What `sign` takes; actions refer to it as "one"."""
    return {"title": title, "relationship": relationship, "label": "one"}, content


def sign(
    data: bytes,
    definition: dict,
    by: Authority,
    mime: str = "image/jpeg",
    ingredients: tuple[tuple[dict, bytes], ...] = (),
    remote: str = "",
    embed: bool = False,
) -> bytes:
    """`data` with a signed manifest; with `remote`, a reference to it, and the manifest itself only if `embed`."""
    info = c2pa.C2paSignerInfo("es256", by.chain.encode(), by.key.encode(), None)
    builder = c2pa.Builder(json.dumps(definition), c2pa.Context.from_dict(_QUIET))
    for description, content in ingredients:
        builder.add_ingredient(json.dumps(description), "image/jpeg", io.BytesIO(content))
    if remote:
        builder.set_remote_url(remote)
        if not embed:
            builder.set_no_embed()
    out = io.BytesIO()
    builder.sign(c2pa.Signer.from_info(info), mime, io.BytesIO(data), out)
    return out.getvalue()
