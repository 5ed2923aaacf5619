"""Ways to knock at the fortress: those that are let in, and those that are not, with what must be said about each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from monitor.plan import KafkaSecurity

PLAIN = KafkaSecurity("SASL_PLAINTEXT", mechanism="PLAIN", username="bob", password_file="right")
SCRAM = replace(PLAIN, mechanism="SCRAM-SHA-512")
TLS = KafkaSecurity("SSL", ca_file="broker.pem")
MUTUAL = replace(TLS, cert_file="client.pem", key_file="client.key")


@dataclass(frozen=True)
class Door:
    """A listener of the fortress and what the client brings; `said` is the true cause as a pattern, "" where it is let in.

    The files that `security` names are in the fortress's folder.
    """

    name: str
    listener: str
    security: KafkaSecurity
    said: str = ""


OPEN = (
    Door("plain password", "SASL", PLAIN),
    Door("scram", "SASL", SCRAM),
    Door("tls", "TLS", TLS),
    Door("a certificate of our own", "MUTUAL", MUTUAL),
    Door("plain password over tls", "BOTH", replace(PLAIN, protocol="SASL_SSL", ca_file="broker.pem")),
    Door("scram over tls", "BOTH", replace(SCRAM, protocol="SASL_SSL", ca_file="broker.pem")),
)
SHUT = (
    Door("wrong scram password", "SASL", replace(SCRAM, password_file="wrong"), "wrong user name or password"),
    Door("wrong plain password", "SASL", replace(PLAIN, password_file="wrong"), "wrong user name or password"),
    Door("unknown user", "SASL", replace(PLAIN, username="eve"), "wrong user name or password"),
    # the broker answers and hangs up at once, so that a client may see only the latter
    Door("mechanism", "SASL", replace(SCRAM, mechanism="SCRAM-SHA-256"), "does not offer this SASL mechanism|hangs up"),
    Door("wrong authority", "TLS", replace(TLS, ca_file="stranger.pem"), "certificate not accepted"),
    Door("wrong host", "STRANGE", replace(TLS, ca_file="stranger.pem"), "Hostname mismatch"),
    Door("no certificate of our own", "MUTUAL", TLS, "refuses our client certificate"),
    Door("a stranger's", "MUTUAL", replace(MUTUAL, cert_file="stranger.pem", key_file="stranger.key"), "refuses our client certificate"),
    Door("tls client on a plain port", "PLAINTEXT", TLS, "TLS failed"),
    Door("plain client on a tls port", "TLS", KafkaSecurity(), "this port speaks TLS"),
    Door("no login", "SASL", KafkaSecurity(), "hangs up"),
)
