#!/usr/bin/env bash
# CDK writes a one-time schedule's wall clock in UTC, and the time zone beside it.
#
# Guess:    ScheduleExpression.at(09:00 in Berlin, TimeZone.EUROPE_BERLIN) becomes at(09:00) in Europe/Berlin.
# Seen:     2026-11-29, aws-cdk-lib 2.276.0: at(08:00) in Europe/Berlin, so it fires one hour early in winter and two
#           in summer. Only a Date whose UTC digits are the wanted wall clock gives the wanted schedule.
# Matters:  A one-time schedule gives a customer until 09:00 to confirm a payment, or ends a free period. It ends
#           before the time that the customer was told, and nothing says so.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages aws-cdk-lib@2.276.0 constructs@10.8.1
cat >at.mjs <<'JS'
import { TimeZone } from 'aws-cdk-lib';
import { ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';

function show(meant, date, zone) {
  const expression = ScheduleExpression.at(date, zone);
  console.log(`${meant}: ${expression.expressionString} in ${expression.timeZone.timezoneName}`);
}

show('09:00 in Berlin in winter', new Date('2026-12-01T09:00:00+01:00'), TimeZone.EUROPE_BERLIN);
show('09:00 in Berlin in summer', new Date('2027-07-01T09:00:00+02:00'), TimeZone.EUROPE_BERLIN);
show('09:00 in New York', new Date('2026-12-01T09:00:00-05:00'), TimeZone.AMERICA_NEW_YORK);
JS
node at.mjs >seen
holds seen <<'SEEN'
09:00 in Berlin in winter: at(2026-12-01T08:00:00) in Europe/Berlin
09:00 in Berlin in summer: at(2027-07-01T07:00:00) in Europe/Berlin
09:00 in New York: at(2026-12-01T14:00:00) in America/New_York
SEEN
