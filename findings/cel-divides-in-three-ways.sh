#!/usr/bin/env bash
# One price formula in CEL has another result in each library.
#
# Guess:    CEL's types decide: 90000 / 60000 is 1, since both are integers, and an integer divided by a double is an
#           error that is raised. With 90000.0 / 60000.0 it is 1.5 everywhere.
# Seen:     2026-11-30, cel-js 0.8.2: integers divide to 1.5. cel-python 0.5.0: 5 / 2.0 is 2, and so a length of 90000
#           that came from JSON is one minute, even with / 60000.0. @bufbuild/cel 0.6.1 returns the error as a value,
#           which is truthy, instead of raising it. @marcbachmann/cel-js 8.0.0 is as guessed.
# Matters:  A price book's formula that was checked in a browser charges a third less in the service, and a limit whose
#           rule is in error counts as kept.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages cel-js@0.8.2 @bufbuild/cel@0.6.1 @marcbachmann/cel-js@8.0.0
python_packages cel-python==0.5.0
cat >prices.mjs <<'JS'
import * as bufbuild from '@bufbuild/cel';
import * as marcbachmann from '@marcbachmann/cel-js';
import * as celJs from 'cel-js';

const libraries = { 'cel-js': celJs.evaluate, '@bufbuild/cel': bufbuild.run,
  '@marcbachmann/cel-js': marcbachmann.evaluate };
for (const formula of ['90000 / 60000', '90000.0 / 60000.0', '5 / 2.0', 'length / 60000.0', 'length / 60000']) {
  for (const [name, evaluate] of Object.entries(libraries)) {
    let result;
    try {
      const value = evaluate(formula, { length: 90000 });
      result = typeof value === 'object' ? `a truthy ${value.constructor.name}, not raised` : value;
    } catch {
      result = 'an error is raised';
    }
    console.log(`${formula}: ${name} ${result}`);
  }
}
JS
cat >prices.py <<'PY'
import celpy

environment = celpy.Environment()
for formula in ("90000 / 60000", "90000.0 / 60000.0", "5 / 2.0", "length / 60000.0", "length / 60000"):
    program = environment.program(environment.compile(formula))
    print(f"{formula}: cel-python", program.evaluate({"length": celpy.json_to_cel(90000)}))
PY
node prices.mjs >all
python -W ignore prices.py >>all
LC_ALL=C sort -s -t: -k1,1 all >seen
holds seen <<'SEEN'
5 / 2.0: cel-js 2.5
5 / 2.0: @bufbuild/cel a truthy _CelError, not raised
5 / 2.0: @marcbachmann/cel-js an error is raised
5 / 2.0: cel-python 2
90000 / 60000: cel-js 1.5
90000 / 60000: @bufbuild/cel 1
90000 / 60000: @marcbachmann/cel-js 1
90000 / 60000: cel-python 1
90000.0 / 60000.0: cel-js 1.5
90000.0 / 60000.0: @bufbuild/cel 1.5
90000.0 / 60000.0: @marcbachmann/cel-js 1.5
90000.0 / 60000.0: cel-python 1.5
length / 60000: cel-js 1.5
length / 60000: @bufbuild/cel a truthy _CelError, not raised
length / 60000: @marcbachmann/cel-js an error is raised
length / 60000: cel-python 1
length / 60000.0: cel-js 1.5
length / 60000.0: @bufbuild/cel 1.5
length / 60000.0: @marcbachmann/cel-js 1.5
length / 60000.0: cel-python 1
SEEN
