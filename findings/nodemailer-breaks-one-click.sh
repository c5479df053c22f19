#!/usr/bin/env bash
# Nodemailer makes a link of List-Unsubscribe=One-Click, and two headers of two ways to unsubscribe.
#
# Guess:    `list: { unsubscribe: [link, mailto], 'unsubscribe-post': 'List-Unsubscribe=One-Click' }` gives the two
#           headers of RFC 8058: one List-Unsubscribe with both links, and List-Unsubscribe-Post as it is.
# Seen:     2026-11-30, nodemailer 10.6.1: every value of `list` is taken for an address or a link, so the second header
#           is <http://List-Unsubscribe=One-Click>. Each element of the array gets a List-Unsubscribe of its own, which
#           RFC 2369 forbids, and mailparser 3.14.2 reads the mailto alone; only an array in the array joins them. Under
#           `headers` both are written as they are.
# Matters:  Gmail and Yahoo want one click from bulk senders. A test that looks for both headers passes, but with
#           `list` no mail has a valid pair, so recipients press "spam" instead.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages nodemailer@10.6.1 mailparser@3.14.2
cat >receipt.mjs <<'JS'
import { simpleParser } from 'mailparser';
import nodemailer from 'nodemailer';

const transport = nodemailer.createTransport({ streamTransport: true, buffer: true });
const links = ['https://a.example/u?t=1', 'mailto:stop@a.example'];
const post = 'List-Unsubscribe=One-Click';
for (const [name, options] of Object.entries({
  'list, an array': { list: { unsubscribe: links, 'unsubscribe-post': post } },
  'list, an array in the array': { list: { unsubscribe: [links], 'unsubscribe-post': post } },
  headers: { headers: {
    'List-Unsubscribe': links.map((link) => `<${link}>`).join(', '), 'List-Unsubscribe-Post': post } },
})) {
  const { message } = await transport.sendMail({
    from: 'credits@a.example', to: 'b@b.example', subject: 'Paid', text: 'Paid.', ...options });
  console.log(`${name}:`);
  for (const line of message.toString().split('\r\n')) if (/^List/.test(line)) console.log(' ', line);
  const { headers } = await simpleParser(message);
  console.log('  mailparser:', JSON.stringify(headers.get('list').unsubscribe));
}
JS
node receipt.mjs >seen
holds seen <<'SEEN'
list, an array:
  List-Unsubscribe: <https://a.example/u?t=1>
  List-Unsubscribe: <mailto:stop@a.example>
  List-Unsubscribe-Post: <http://List-Unsubscribe=One-Click>
  mailparser: {"mail":"stop@a.example"}
list, an array in the array:
  List-Unsubscribe: <https://a.example/u?t=1>, <mailto:stop@a.example>
  List-Unsubscribe-Post: <http://List-Unsubscribe=One-Click>
  mailparser: {"url":"https://a.example/u?t=1","mail":"stop@a.example"}
headers:
  List-Unsubscribe: <https://a.example/u?t=1>, <mailto:stop@a.example>
  List-Unsubscribe-Post: List-Unsubscribe=One-Click
  mailparser: {"url":"https://a.example/u?t=1","mail":"stop@a.example"}
SEEN
