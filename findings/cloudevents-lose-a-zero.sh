#!/usr/bin/env bash
# CloudEvents' libraries lose a 0 or false, or write it in a way that no other language reads.
#
# Guess:    An event whose data is a number or a boolean comes back as it was sent, in both modes, and its time keeps
#           its digits. An attribute that is true is written as true, as the specification says.
# Seen:     2026-11-30, cloudevents 10.0.0 (npm): data of 0 or false is undefined when a structured event is read. In
#           binary mode 5 cannot be read back, and null is the text "null". Microseconds are cut from a time, and its
#           offset is gone. cloudevents 2.2.0 (PyPI) writes an attribute of true as True, and data of false as False.
# Matters:  "The balance is 5" arrives and "the balance is 0" does not, so the account goes on. The receiver in another
#           language asks whether `final` is "true", and it never is.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages cloudevents@10.0.0
python_packages cloudevents==2.2.0
cat >events.mjs <<'JS'
import { CloudEvent, HTTP } from 'cloudevents';

const attributes = { id: '1', source: '/credits', type: 'balance', time: '2026-11-30T10:00:00.123456+02:00' };
for (const data of [5, 0, false, null]) {
  const back = ['structured', 'binary'].map((mode) => {
    try {
      return `${mode} ${JSON.stringify(HTTP.toEvent(HTTP[mode](new CloudEvent({ ...attributes, data }))).data)}`;
    } catch (error) {
      return `${mode} ${error.message}`;
    }
  });
  console.log(`Node.js, data ${data}:`, back.join(', '));
}
const structured = { ...attributes, specversion: '1.0', data: { balance: 0 } };
const headers = { 'content-type': 'application/cloudevents+json' };
console.log('Node.js, time:', HTTP.toEvent({ headers, body: JSON.stringify(structured) }).time);
JS
cat >events.py <<'PY'
from cloudevents.core.bindings.http import to_binary_event
from cloudevents.core.v1.event import CloudEvent

attributes = {"id": "1", "source": "/credits", "type": "balance", "specversion": "1.0", "final": True}
message = to_binary_event(CloudEvent(attributes, False))
print("Python, final:", message.headers["ce-final"], "data:", message.body.decode())
PY
node events.mjs >seen
python events.py >>seen
holds seen <<'SEEN'
Node.js, data 5: structured 5, binary invalid payload type, allowed are: string or object
Node.js, data 0: structured undefined, binary 0
Node.js, data false: structured undefined, binary false
Node.js, data null: structured undefined, binary "null"
Node.js, time: 2026-11-30T08:00:00.123Z
Python, final: True data: False
SEEN
