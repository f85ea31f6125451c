# Copyright: mlenv.jupyter contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep secrets out of what a module returns and logs, and nothing else.

Since ansible-core 2.22 what is no_log is masked wherever it stands in all that is printed afterwards, and what is not is left to us. A short secret
would mask parts of other words there, so ours are hidden here, where they can be. Private to the collection.
"""

from __future__ import annotations

HIDDEN = "********"
# A shorter one may well be a part of another word, such as the name of a package: it is hidden where a URL has its secrets.
LONG = 8


def hide(value, secrets: set):
    """A copy of value, without those secrets in any text of it."""
    if not secrets:
        return value
    if isinstance(value, str):
        for secret in sorted(secrets, key=len, reverse=True):
            value = _hide_one(value, secret)
        return value
    if isinstance(value, dict):
        return {hide(name, secrets): hide(part, secrets) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [hide(part, secrets) for part in value]
    return value


def _hide_one(text: str, secret: str) -> str:
    if len(secret) >= LONG or secret.endswith("@"):
        return text.replace(secret, HIDDEN + "@" * secret.endswith("@"))
    for sign in (":", "/"):
        text = text.replace(f"{sign}{secret}@", f"{sign}{HIDDEN}@")
    return text
