#!/usr/bin/env bash
# croner accepts EventBridge's "last day of the week" and never finds one.
#
# Guess:    With weekdays counted from Sunday as 1, the mode for expressions of Quartz and AWS, `L` alone as the day
#           of the week is Saturday, as AWS documents it, or is refused. `0/15` in the minutes is every quarter of an
#           hour.
# Seen:     2026-11-29, croner 4.0.3 (the Rust crate): `? * L` is accepted and has no occurrence at all, `? * 7L` is the
#           last Saturday of a month as with AWS, and `0/15`, which AWS's own examples have, is refused.
# Matters:  Whoever plays a schedule locally before it is deployed sees a weekly report that never runs and blames the
#           function, where AWS would run it every Saturday.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

mkdir src
cat >src/main.rs <<'RS'
use croner::parser::CronParser;
use jiff::Zoned;

fn main() {
    let start: Zoned = "2026-11-29T00:00[UTC]".parse().expect("a time");
    for expression in ["0 10 ? * 7", "0 10 ? * 7L", "0 10 ? * L", "0/15 * * * ?"] {
        match CronParser::builder().alternative_weekdays(true).build().parse(expression) {
            Ok(cron) => {
                let times: Vec<_> = cron.iter_after(start.clone()).take(2).map(|time| time.strftime("%a %F").to_string()).collect();
                println!("{expression}: {times:?}");
            }
            Err(_) => println!("{expression}: refused"),
        }
    }
}
RS
rust_program >seen <<'DEPENDENCIES'
croner = { version = "=4.0.3", default-features = false, features = ["jiff"] }
jiff = "=0.2.46"
DEPENDENCIES
holds seen <<'SEEN'
0 10 ? * 7: ["Sat 2026-12-05", "Sat 2026-12-12"]
0 10 ? * 7L: ["Sat 2026-12-26", "Sat 2027-01-30"]
0 10 ? * L: []
0/15 * * * ?: refused
SEEN
