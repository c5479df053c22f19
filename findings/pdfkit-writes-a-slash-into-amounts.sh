#!/usr/bin/env bash
# PDFKit and jsPDF print a French amount with a slash in it, and a Swedish refund without its minus.
#
# Guess:    What Intl.NumberFormat writes, drawn in the built-in Helvetica, looks like that, or raises an error
#           because the font lacks a character, as pdf-lib does.
# Seen:     2026-11-29, pdfkit 0.20.2 and jspdf 4.2.1: U+202F, the space that French has between thousands, is cut
#           into the bytes 20 and 2F and printed as " /". U+2212, the minus of Swedish and four other languages,
#           becomes a quotation mark and an invisible character. pdf-lib 1.17.1 raises an error for both. The texts
#           below are what pypdf 7.1.1 reads from the files; a picture of the pages shows the same.
# Matters:  A receipt over 12 /345,60 € is no receipt, and a credit note over "5,00 € instead of −5,00 € is an
#           invoice. In English and German nothing is to be seen.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

npm_packages pdfkit@0.20.2 jspdf@4.2.1 pdf-lib@1.17.1
python_packages pypdf==7.1.1
cat >draw.mjs <<'JS'
import { createWriteStream, writeFileSync } from 'node:fs';
import { jsPDF } from 'jspdf';
import { PDFDocument, StandardFonts } from 'pdf-lib';
import PDFKit from 'pdfkit';

// As Intl writes 12345.6 in French and -5 in Swedish and in German; spelled out, so that no locale data are needed.
const AMOUNTS = ['12\u202f345,60\u00a0€', '\u22125,00\u00a0€', '-5,00\u00a0€'];

const pdfkit = new PDFKit();
pdfkit.pipe(createWriteStream('pdfkit.pdf'));
AMOUNTS.forEach((amount) => pdfkit.text(amount));
pdfkit.end();

const jspdf = new jsPDF();
AMOUNTS.forEach((amount, line) => jspdf.text(amount, 10, 20 + 10 * line));
writeFileSync('jspdf.pdf', Buffer.from(jspdf.output('arraybuffer')));

const pdfLib = await PDFDocument.create();
const font = await pdfLib.embedFont(StandardFonts.Helvetica);
for (const amount of AMOUNTS) {
  try {
    pdfLib.addPage().drawText(amount, { font });
    console.log('pdf-lib: drawn');
  } catch (error) {
    console.log(`pdf-lib: raises for ${/0x[0-9a-f]+/.exec(error.message)}`);
  }
}
JS
cat >read.py <<'PY'
from pypdf import PdfReader

for library in ("pdfkit", "jspdf"):
    for line in PdfReader(f"{library}.pdf").pages[0].extract_text().replace("\0", "").splitlines():
        print(f"{library}:", ascii(line))
PY
{ node draw.mjs; python read.py; } >seen
holds seen <<'SEEN'
pdf-lib: raises for 0x202f
pdf-lib: raises for 0x2212
pdf-lib: drawn
pdfkit: '12 /345,60\xa0\u20ac'
pdfkit: '"\x125,00\xa0\u20ac'
pdfkit: '-5,00\xa0\u20ac'
jspdf: '12 /345,60\xa0\u20ac'
jspdf: '"\x125,00\xa0\u20ac'
jspdf: '-5,00\xa0\u20ac'
SEEN
