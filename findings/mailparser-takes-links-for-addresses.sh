#!/usr/bin/env bash
# mailparser takes a link to unsubscribe for an address if it contains an @.
#
# Guess:    From `<mailto:…>, <https://…>` in List-Unsubscribe mailparser gives the address as `mail`, the link as
#           `url`, whatever the query of the link is.
# Seen:     2026-11-30, mailparser 3.14.2: a link with a recipient in it (?to=b@b.example) is given as `mail`. There is
#           no `url`, and the address that stood before the link is lost. A link with parentheses is cut before them and
#           given as `id`. A query may have both characters as they are.
# Matters:  A test of one's own mails, or a service that unsubscribes by one click as RFC 8058 says, finds no link in a
#           header that has one, and writes a mail to an https link.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages mailparser@3.14.2
cat >unsubscribe.mjs <<'JS'
import { simpleParser } from 'mailparser';

for (const link of ['https://a.example/u?t=1,2', 'https://a.example/u?to=b@b.example', 'https://a.example/u?t=(1)']) {
  const mail = await simpleParser([
    'From: credits@a.example', 'To: b@b.example', `List-Unsubscribe: <mailto:stop@a.example>, <${link}>`, '', 'Paid.',
  ].join('\r\n'));
  console.log(link, '=', JSON.stringify(mail.headers.get('list').unsubscribe));
}
JS
node unsubscribe.mjs >seen
holds seen <<'SEEN'
https://a.example/u?t=1,2 = {"mail":"stop@a.example","url":"https://a.example/u?t=1,2"}
https://a.example/u?to=b@b.example = {"mail":"https://a.example/u?to=b@b.example"}
https://a.example/u?t=(1) = {"mail":"stop@a.example","name":"1","id":"https://a.example/u?t="}
SEEN
