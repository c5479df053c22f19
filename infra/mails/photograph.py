"""Photographs e-mails in Chromium: each narrow and wide, light and dark, side by side in one small picture.

usage: photograph.py DIRECTORY_OF_PAGES DIRECTORY_OF_PICTURES
"""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

VIEWS = [(320, "light"), (320, "dark"), (600, "light"), (600, "dark")]
GAP = 16
BETWEEN = "#808080"
# The pages have few colors, and a palette keeps their pictures small.
COLORS = 64
README = """# E-mails

Every kind of e-mail that customers get, with sample data.
From left to right: 320 pixels wide, light and dark; 600 pixels wide, light and dark.

`make mails` takes the pictures with Chromium and writes this page; it fails for a page that is wider than its window.
Run it after you change an e-mail, and look at the pictures.
A test holds the text form of each e-mail to the words, values and links of its page.
"""


def views(browser, page_file):
    """One picture for each view, and the widths that the content needs beyond it."""
    for width, scheme in VIEWS:
        page = browser.new_page(viewport={"width": width, "height": 400}, color_scheme=scheme)
        page.goto(page_file.resolve().as_uri())
        needed = page.evaluate("document.documentElement.scrollWidth")
        if needed > width:
            sys.exit(f"{page_file.name} needs {needed} pixels and has {width}.")
        yield Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        page.close()


def side_by_side(pictures):
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    sheet = Image.new("RGB", (width, max(picture.height for picture in pictures)), BETWEEN)
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + GAP
    return sheet.quantize(COLORS, dither=Image.Dither.NONE)


def section(page):
    subject, _ = page.with_suffix(".txt").read_text().split("\n", 1)
    return f"\n## `{page.stem}`\n\nSubject: `{subject}`\n\n![{page.stem}]({page.stem}.png)\n"


def main(pages, pictures):
    pages, pictures = sorted(Path(pages).glob("*.html")), Path(pictures)
    pictures.mkdir(parents=True, exist_ok=True)
    for old in pictures.glob("*.png"):
        old.unlink()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        for page in pages:
            side_by_side(list(views(browser, page))).save(pictures / f"{page.stem}.png", optimize=True)
        browser.close()
    (pictures / "README.md").write_text(README + "".join(section(page) for page in pages))
    print(f"{len(pages)} kinds of e-mail are in {pictures}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
