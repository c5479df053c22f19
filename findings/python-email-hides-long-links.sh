#!/usr/bin/env bash
# Python's EmailMessage encodes a message id of SES, or the link of List-Unsubscribe, until nobody can follow it.
#
# Guess:    A header value without a space that is longer than a line stays whole, on a line of its own: RFC 5322 lets
#           a line have 998 characters, and RFC 2047 has no encoded words in such headers.
# Seen:     2026-11-29, Python 3.8.18, 3.9.18, 3.10.13, 3.11.2, 3.11.7, 3.12.1 and 3.13.0: In-Reply-To, References and
#           List-Unsubscribe become =?utf-8?q?=3C…?= although every character is ASCII. Message-ID alone is left as it
#           is, and so are all of them in the older MIMEText. mailparser 3.14.2 then finds no link to unsubscribe.
# Matters:  An id of SES with its region has 89 characters (60 and @eu-central-1.amazonses.com), so each answer in a
#           thread begins a new one. A signed link is as long; with it in List-Unsubscribe the mailbox shows no
#           button, although the header is there, and large mailbox providers ask for it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages mailparser@3.14.2
cat >mail.py <<'PY'
import email.policy
import sys
from email.message import EmailMessage
from email.mime.text import MIMEText
from pathlib import Path

SES_ID = "<0100000000000000-00000000-0000-0000-0000-000000000000-000000@eu-central-1.amazonses.com>"
LINK = f"<https://pay.example.com/unsubscribe/{'0' * 64}>"

print("Python since 3.8:", sys.version_info >= (3, 8))
for name, message in ("EmailMessage", EmailMessage(policy=email.policy.SMTP)), ("MIMEText", MIMEText("Paid.")):
    message["Message-ID"] = message["In-Reply-To"] = SES_ID
    message["List-Unsubscribe"] = LINK
    Path(f"{name}.eml").write_bytes(message.as_bytes())
    for header in message.as_bytes().decode().replace("\r", "").replace("\n ", " ").split("\n"):
        if header.startswith(("Message-ID", "In-Reply-To", "List-")):
            field, value = header.split(": ", 1)
            print(f"{name}, {field}: {'whole' if value.strip() in (SES_ID, LINK) else value[:16] + '…'}")
PY
cat >read.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { simpleParser } from 'mailparser';

for (const name of ['EmailMessage', 'MIMEText']) {
  const mail = await simpleParser(readFileSync(`${name}.eml`));
  console.log(`mailparser, ${name}: unsubscribe at ${mail.headers.get('list').unsubscribe.url?.slice(0, 23)}`);
}
JS
{ python3 mail.py; node read.mjs; } >seen
holds seen <<'SEEN'
Python since 3.8: True
EmailMessage, Message-ID: whole
EmailMessage, In-Reply-To: =?utf-8?q?=3C010…
EmailMessage, List-Unsubscribe: =?utf-8?q?=3Chtt…
MIMEText, Message-ID: whole
MIMEText, In-Reply-To: whole
MIMEText, List-Unsubscribe: whole
mailparser, EmailMessage: unsubscribe at undefined
mailparser, MIMEText: unsubscribe at https://pay.example.com
SEEN
