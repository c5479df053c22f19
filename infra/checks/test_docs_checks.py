"""The documents pass every check, and every check fails on documents or code changed for it."""

from copy import deepcopy
from pathlib import Path

import pytest

from docs_checks import BILLING_RULES, DATA_MODEL, GATES, ITEMS, PAYMENT_ISSUE, RECORDS, WORDS, anchors, load, problems, tables

ROOT = Path(__file__).parents[2]
REPOSITORY = load(ROOT)


def test_the_documents_have_no_problem():
    assert problems(REPOSITORY) == []


def replace(path, old, new):
    """Changes one text; a sample that no longer applies would prove nothing."""

    def breakage(repository):
        assert old in repository.texts[path], f"{path} has no {old}"
        repository.texts[path] = repository.texts[path].replace(old, new, 1)

    return breakage


def append(path, text):
    return lambda repository: repository.texts.update({path: repository.texts[path] + text})


# The change to the texts → a part of the resulting sentence.
BREAKAGES = {
    "a link names a file that does not exist": (
        append("README.md", "\nSee [there](docs/nothing.md).\n"),
        "README.md: the link docs/nothing.md leads nowhere",
    ),
    "a link is relative to another directory": (
        append("docs/api.md", "\nSee [there](docs/api.md).\n"),
        "docs/api.md: the link docs/api.md leads nowhere",
    ),
    "an anchor names no heading of another document": (
        append("README.md", "\nSee [there](docs/api.md#nothing).\n"),
        "README.md: the link docs/api.md#nothing names no heading",
    ),
    "an anchor names no heading of its own document": (
        append("README.md", "\nSee [there](#nothing).\n"),
        "README.md: the link #nothing names no heading",
    ),
    "an anchor names a comment in a code block": (
        append("README.md", "\n```sh\n# comment\n```\nSee [there](#comment).\n"),
        "README.md: the link #comment names no heading",
    ),
    "a heading gets another name": (
        replace("docs/api.md", "\n### Errors\n", "\n### Failures\n"),
        f"{BILLING_RULES}: the link api.md#errors names no heading",
    ),
    "a document names a file that does not exist": (
        append("ARCHITECTURE.md", "\n`use_cases/settle.rs` is gone.\n"),
        "ARCHITECTURE.md: there is no file use_cases/settle.rs",
    ),
    "a document names a decision that does not exist": (
        append("ARCHITECTURE.md", "\n`decide_settle_top_up` decides.\n"),
        "ARCHITECTURE.md: the sources have no decide_settle_top_up",
    ),
    "a document names a method that does not exist": (
        append("ARCHITECTURE.md", "\n`Account::is_settled` decides.\n"),
        "ARCHITECTURE.md: the sources have no Account::is_settled",
    ),
    "a cited test gets another name": (
        replace("shared/src/domain/price_book.rs", "fn training_costs_ten", "fn training_takes_ten"),
        f"{BILLING_RULES}: there is no test training_costs_ten_credits_for_each_minute_declared",
    ),
    "a table cites a test that does not exist": (
        append(BILLING_RULES, "\n| case | tests |\n| --- | --- |\n| any | `a_test_of_nothing` |\n"),
        f"{BILLING_RULES}: there is no test a_test_of_nothing",
    ),
    "a sentence cites a test that does not exist": (
        append(BILLING_RULES, "\nIt holds (`the_book_is_valid`, `a_test_of_nothing`).\n"),
        f"{BILLING_RULES}: there is no test a_test_of_nothing",
    ),
    "another document cites a test that does not exist": (
        append(DATA_MODEL, "\nIt holds: `a_test_of_nothing_at_all_fails`.\n"),
        f"{DATA_MODEL}: there is no test a_test_of_nothing_at_all_fails",
    ),
    "an attribute is not documented": (
        replace(DATA_MODEL, "| `auto_top_up.consent.price_max_cents` |", "| `auto_top_up.consent` |"),
        f"{DATA_MODEL}: account is written with price_max_cents, which is not in its table",
    ),
    "an item is written with one attribute more": (
        replace(f"{ITEMS}purchase.rs", '.with("key"', '.with("color", text("red")).with("key"'),
        f"{DATA_MODEL}: purchase is written with color, which is not in its table",
    ),
    "a part of an item is written with one attribute more": (
        replace(f"{ITEMS}spending.rs", '.with("max"', '.with("hour", number(1)).with("max"'),
        f"{DATA_MODEL}: account is written with hour, which is not in its table",
    ),
    "an attribute gets another name": (
        replace(f"{ITEMS}top_up.rs", '"opened_at"', '"begun_at"'),
        f"{DATA_MODEL}: top_up is not written with opened_at",
    ),
    "an attribute is documented that is not written": (
        replace(DATA_MODEL, "| `balance` | N |", "| `balance`, `color` | N |"),
        f"{DATA_MODEL}: account is not written with color",
    ),
    "an item has no table": (
        replace(DATA_MODEL, "**Stripe event**", "Stripe event"),
        f"{DATA_MODEL}: the item event has no table of attributes",
    ),
    "an item is documented that is not written": (
        replace(DATA_MODEL, "**Stripe event**", "**invoice**"),
        f"{DATA_MODEL}: no item invoice is written",
    ),
    "a gate is missing": (
        replace(BILLING_RULES, "| `within_consent` |", "| `turned_on` |"),
        f"{BILLING_RULES}: the gates are turned_on, spending_allowed",
    ),
    "the code evaluates the gates in another order": (
        replace(GATES, "    TurnedOn,\n    SpendingAllowed,\n", "    SpendingAllowed,\n    TurnedOn,\n"),
        f"{BILLING_RULES}: the gates are spending_allowed, turned_on",
    ),
    "the code has one gate more": (
        replace(GATES, "    WithinConsent,\n}", "    WithinConsent,\n    CardSaved,\n}"),
        "within_consent, card_saved, and the table has",
    ),
    "a customer reads other words": (
        replace(WORDS, '"The saved card has expired."', '"The card has expired."'),
        f"{BILLING_RULES}: {WORDS} does not say: The saved card has expired.",
    ),
    "a status gets another word": (
        replace(RECORDS, '=> "partly_paid"', '=> "half_paid"'),
        f"{DATA_MODEL}: the word half_paid of TopUpStatus is not there",
    ),
    "a reason for a decline gets another word": (
        replace(PAYMENT_ISSUE, '=> "no_card"', '=> "cardless"'),
        f"{BILLING_RULES}: the word cardless of DeclineReason is not there",
    ),
    "a sentence names a target that does not exist": (
        append("README.md", "\n`make everything` makes everything.\n"),
        "README.md: the Makefile has no target everything",
    ),
    "a code block names a target that does not exist": (
        append("README.md", "\n   ```sh\n   make everything\n   ```\n"),
        "README.md: the Makefile has no target everything",
    ),
    "a sentence reads as translated": (
        append("README.md", "\nWhoever asks is answered.\n"),
        "README.md: not plain American English: Whoever",
    ),
    "a word is spelled the British way": (
        append("README.md", "\nThe behaviour is serialised.\n"),
        "README.md: not plain American English: serialised",
    ),
    "two sentences share a line": (
        append("README.md", "\n- One sentence. Another sentence.\n"),
        "README.md: several sentences share the line: - One sentence. Another sentence.",
    ),
    "a target gets another name": (
        lambda r: setattr(r, "makefile", r.makefile.replace("\nsimulate:", "\nsimulation:")),
        "README.md: the Makefile has no target simulate",
    ),
}


@pytest.mark.parametrize(("breakage", "sentence"), BREAKAGES.values(), ids=BREAKAGES)
def test_a_broken_text_is_refused(breakage, sentence):
    broken = deepcopy(REPOSITORY)
    breakage(broken)
    found = problems(broken)
    assert any(sentence in problem for problem in found), found


def test_words_and_dots_in_code_are_no_prose():
    written = deepcopy(REPOSITORY)
    append("README.md", "\nThe test `whoever_comes` and `a. B`:\n\n```\nNobody. Somebody.\n```\n")(written)
    assert problems(written) == []


def test_anchors_are_those_of_github():
    text = "# The `version` beside `seq`\n\n## Idempotency\n\n## Idempotency\n\n### `GET /pay/{token}` — the link\n"
    assert anchors(text) == {"the-version-beside-seq", "idempotency", "idempotency-1", "get-paytoken--the-link"}


def test_tables_are_read_by_cells():
    text = "Text\n\n| a | b |\n| --- | --- |\n| 1 | |\n| 2 | `x` |\n\n```\n| no | table |\n```\n"
    assert tables(text) == [(["a", "b"], [["1", ""], ["2", "`x`"]])]
