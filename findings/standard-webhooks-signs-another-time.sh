#!/usr/bin/env bash
# The Python library of Standard Webhooks signs another time if it is not given in UTC.
#
# Guess:    sign() takes a datetime with its zone, so 10:00+02:00 and 08:00+00:00, which are equal in Python, have one
#           signature.
# Seen:     2026-11-30, standardwebhooks 1.1.0 and svix 2.9.1 (PyPI): the zone is replaced by UTC instead of converted,
#           so 10:00+02:00 is signed as 10:00 UTC. standardwebhooks 1.1.1 (npm) signs the instant, 08:00.
# Matters:  The header webhook-timestamp, int(time.timestamp()), is right, and so two hours off from what is signed: no
#           receiver accepts the message. With the time of London all is well until summer time begins.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

python_packages standardwebhooks==1.1.0 svix==2.9.1
npm_packages standardwebhooks@1.1.1
cat >sign.py <<'PY'
from datetime import datetime, timedelta, timezone

import standardwebhooks
import svix

utc = datetime(2026, 7, 1, 8, tzinfo=timezone.utc)
for library in (standardwebhooks, svix):
    webhook = library.Webhook("whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0")
    for hours in (0, 1, 2):
        time = utc.astimezone(timezone(timedelta(hours=hours)))
        assert time == utc
        print(library.__name__, time.isoformat(), int(time.timestamp()), webhook.sign("msg_1", time, '{"balance":5}'))
PY
cat >verify.mjs <<'JS'
import fs from 'node:fs';

import { Webhook } from 'standardwebhooks';

const webhook = new Webhook('whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0');
const sign = (seconds) => webhook.sign('msg_1', new Date(seconds * 1000), '{"balance":5}');
for (const line of fs.readFileSync('signed', 'utf8').trim().split('\n')) {
  const [library, time, seconds, signature] = line.split(' ');
  const hours = [0, 1, 2].find((hours) => sign(Number(seconds) + hours * 3600) === signature);
  console.log(`${library}, ${time}: signed as ${new Date((Number(seconds) + hours * 3600) * 1000).toISOString()}`);
}
JS
python sign.py >signed
node verify.mjs >seen
holds seen <<'SEEN'
standardwebhooks, 2026-07-01T08:00:00+00:00: signed as 2026-07-01T08:00:00.000Z
standardwebhooks, 2026-07-01T09:00:00+01:00: signed as 2026-07-01T09:00:00.000Z
standardwebhooks, 2026-07-01T10:00:00+02:00: signed as 2026-07-01T10:00:00.000Z
svix, 2026-07-01T08:00:00+00:00: signed as 2026-07-01T08:00:00.000Z
svix, 2026-07-01T09:00:00+01:00: signed as 2026-07-01T09:00:00.000Z
svix, 2026-07-01T10:00:00+02:00: signed as 2026-07-01T10:00:00.000Z
SEEN
