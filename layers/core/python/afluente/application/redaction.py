"""Redaction: secrets are masked before anything is stored, logged or answered.

A key may be in the query of a URL, in a field of a body, in a topic or in a file, because somebody put it there by
mistake. Its readable part stays, so that a reader knows which key to revoke.
"""

import re

MASK = "[masked]"

# Secrets have only these characters, which JSON leaves as they are. A key may have been cut off after some of them.
_SECRETS = re.compile(
    r"(?P<key>afl_[a-z2-7]{8}_)[A-Za-z0-9_-]{4,}"
    # The signature of a presigned URL of S3.
    r"|(?P<signed>X-Amz-(?:Signature|Security-Token)=)[A-Za-z0-9%+/=_-]+"
    # `scheme://user:password@host`.
    r"|(?P<user>://[^/\s:@\"\\]{0,128}:)[^@/\s\"\\]{1,512}(?=@)"
)
# Every secret holds one of these, so that most texts are scanned once and quickly.
_SIGNS = ("afl_", "X-Amz-S", "://")


def redacted(text: str) -> str:
    """The text with every secret in it masked."""
    if not any(sign in text for sign in _SIGNS):
        return text
    return _SECRETS.sub(lambda found: f"{found['key'] or found['signed'] or found['user']}{MASK}", text)
