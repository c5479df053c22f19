"""What the documents say about the code, compared with the code, and how they say it.

Each check takes the repository's texts and yields one sentence per problem. None of them uses the network.
"""

import os
import posixpath
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Directories of tools for installations and builds; they contain none of our documents.
SKIPPED_DIRECTORIES = {".git", ".aws-sam", "target", "node_modules"}
TEXT_SUFFIXES = {".md", ".rs"}

BILLING_RULES = "docs/billing-rules.md"
DATA_MODEL = "docs/data-model.md"
GATES = "shared/src/domain/payments/gates.rs"
ITEMS = "shared/src/ledger/items/"
WORDS = "shared/src/words.rs"
RECORDS = "shared/src/domain/payments/records.rs"
PAYMENT_ISSUE = "shared/src/domain/payments/payment_issue.rs"

# Entities of the data model that the code calls by another name.
ITEM_NAMES = {
    "attempt": "top_up",
    "retry of a top-up": "top_up_retry",
    "Stripe customer": "customer",
    "Stripe event": "event",
    "listed account": "listed",
    "import": "imported",
}

FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
FUNCTION = re.compile(r"\bfn (\w+)")

# Words of translated prose, and British spellings.
AVOIDED = re.compile(
    r"\b(whoever|nobody|somebody|anew|for ever|as (?:it|they) must be|defects?"
    r"|licences?|behaviours?|colours?|neighbours?|(?:serial|optim|recogn|organ|author|final|normal|initial)is(?:e|es|ed|ing|ation))\b",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)[a-z`)\]][.!?] +(?=[A-Z`\[])")


@dataclass
class Repository:
    """Every Markdown and Rust file by its path, the Makefile, and the paths of all files and directories."""

    texts: dict[str, str]
    makefile: str
    paths: set[str]

    def documents(self):
        return {path: text for path, text in self.texts.items() if path.endswith(".md")}

    def sources(self):
        return {path: text for path, text in self.texts.items() if path.endswith(".rs")}


def load(root):
    texts, paths = {}, {"."}
    for directory, names, files in os.walk(root):
        directory = Path(directory)
        names[:] = [name for name in names if name not in SKIPPED_DIRECTORIES]
        for name in [*names, *files]:
            paths.add((directory / name).relative_to(root).as_posix())
        for path in (directory / name for name in files if Path(name).suffix in TEXT_SUFFIXES):
            texts[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    return Repository(texts, (root / "Makefile").read_text(encoding="utf-8"), paths)


def problems(repository):
    return [
        *links_to_nowhere(repository),
        *files_that_do_not_exist(repository),
        *names_without_code(repository),
        *tests_that_do_not_exist(repository),
        *attributes_that_differ(repository),
        *gates_that_differ(repository),
        *words_that_differ(repository),
        *stored_words_without_a_document(repository),
        *targets_that_do_not_exist(repository),
        *words_to_avoid(repository),
        *sentences_that_share_a_line(repository),
    ]


# ── Links and files ──────────────────────────────────────────────────────────────────────────────────────────────


def links_to_nowhere(repository):
    """Relative links name a file or a directory, and their anchors a heading of that document."""
    for path, text in repository.documents().items():
        for target in LINK.findall(CODE_SPAN.sub("", without_fences(text))):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = target.partition("#")
            linked = posixpath.normpath(posixpath.join(posixpath.dirname(path), file)) if file else path
            if linked not in repository.paths:
                yield f"{path}: the link {target} leads nowhere"
            elif anchor and anchor not in anchors(repository.texts.get(linked, "")):
                yield f"{path}: the link {target} names no heading"


def anchors(text):
    """The anchors that GitHub gives to the headings of a document."""
    found = set()
    for heading in HEADING.findall(without_fences(text)):
        plain = LINK.sub("", heading) if LINK.search(heading) else heading
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = sum(1 for other in found if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", other))
        found.add(f"{slug}-{count}" if count else slug)
    return found


def files_that_do_not_exist(repository):
    """A source file in backticks is the end of the path of a file that exists."""
    endings = {"/".join(path.split("/")[start:]) for path in repository.paths for start in range(path.count("/") + 1)}
    for path, text in repository.documents().items():
        for name in code_spans(text):
            if re.fullmatch(r"[\w./-]+\.(rs|py|toml|yaml|html)", name) and name not in endings:
                yield f"{path}: there is no file {name}"


# ── Names ────────────────────────────────────────────────────────────────────────────────────────────────────────


def names_without_code(repository):
    """A Rust path in backticks, or a function that decides or records, is in the sources by its last name."""
    words = set().union(*map(words_of, repository.sources().values()))
    for path, text in repository.documents().items():
        for span in code_spans(text):
            is_name = re.fullmatch(r"(?!AWS::)\w+(::\w+)+(\(\))?|(decide|record|settle)_\w+", span)
            if is_name and re.findall(r"\w+", span)[-1] not in words:
                yield f"{path}: the sources have no {span}"


@cache
def words_of(text):
    return set(re.findall(r"\w+", text))


@cache
def functions_of(text):
    return set(FUNCTION.findall(text))


def tests_that_do_not_exist(repository):
    """The billing rules cite tests in a table's column `tests`, after `Tests:`, and alone within parentheses.

    In every document, only a test has a name as long as a sentence.
    """
    functions = set().union(*map(functions_of, repository.sources().values()))
    for path, text in repository.documents().items():
        cited = {name for name in code_spans(text) if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+){5,}", name)}
        if path == BILLING_RULES:
            cited |= set(cited_tests(text))
        for name in sorted(cited - functions):
            yield f"{path}: there is no test {name}"


def cited_tests(text):
    for line in without_fences(text).splitlines():
        if line.startswith("Tests: "):
            yield from CODE_SPAN.findall(line)
        for names in re.findall(r"\((`\w+`(?:, `\w+`)*)\)", line):
            yield from CODE_SPAN.findall(names)
    for header, rows in tables(text):
        if header[-1] == "tests":
            yield from (name for row in rows for name in CODE_SPAN.findall(row[-1]))


# ── Attributes ───────────────────────────────────────────────────────────────────────────────────────────────────


def attributes_that_differ(repository):
    """Each entity's table names exactly the attributes that its item is written with."""
    written, documented = written_attributes(repository), documented_attributes(repository.texts[DATA_MODEL])
    for item in sorted(written.keys() - documented.keys()):
        yield f"{DATA_MODEL}: the item {item} has no table of attributes"
    for item in sorted(documented.keys() - written.keys()):
        yield f"{DATA_MODEL}: no item {item} is written"
    for item in sorted(written.keys() & documented.keys()):
        for name in sorted(written[item] - documented[item]):
            yield f"{DATA_MODEL}: {item} is written with {name}, which is not in its table"
        for name in sorted(documented[item] - written[item]):
            yield f"{DATA_MODEL}: {item} is not written with {name}"


def written_attributes(repository):
    """The name of each item → the attributes of the function that makes it and of all those it goes through."""
    functions = {}
    for path, text in repository.sources().items():
        if path.startswith(ITEMS):
            module = Path(path).stem
            code = re.sub(r"//.*", "", text)
            for name, body in re.findall(r"^(?:pub(?:\([^)]*\))? )?fn (\w+)(.*?)^\}", code, re.MULTILINE | re.DOTALL):
                functions[module, name] = body

    def attributes(function, seen):
        seen.add(function)
        module, body = function[0], functions[function]
        found = set(re.findall(r"\.with(?:_optional|_amount)?\(\s*\"(\w+)\"", body))
        if ".with_amount(" in body:
            found.add("currency")
        for other_module, name in re.findall(r"(?:(\w+)::)?(\w+)", body):
            called = (other_module or module, name)
            if called in functions and called not in seen:
                found |= attributes(called, seen)
        return found

    made = [function for function in functions if function[1].endswith("_to_item")]
    return {name.removesuffix("_to_item"): attributes((module, name), set()) for module, name in made}


def documented_attributes(text):
    """The tables below `## Attributes`, each after its entity in bold. A dot leads into a map, `a.b`; both count."""
    section = without_fences(text).partition("\n## Attributes\n")[2].partition("\n## ")[0]
    documented = {}
    for part in re.split(r"^(?=\*\*)", section, flags=re.MULTILINE):
        entity = re.match(r"\*\*(.+?)\*\*", part)
        rows = [row for header, rows in tables(part) if header[0] == "attribute" for row in rows]
        if entity and rows:
            item = ITEM_NAMES.get(entity[1], entity[1].replace(" ", "_"))
            names = [name for row in rows for name in CODE_SPAN.findall(row[0])]
            documented[item] = {component for name in names for component in name.split(".")}
    return documented


# ── Gates and words ──────────────────────────────────────────────────────────────────────────────────────────────


def gates_that_differ(repository):
    """The gates before a top-up are those of the code, in its order."""
    variants = re.search(r"enum GateName \{(.*?)\}", repository.texts[GATES], re.DOTALL)[1]
    in_code = [snake_case(name) for name in re.findall(r"^ +(\w+),", variants, re.MULTILINE)]
    found = tables(repository.texts[BILLING_RULES])
    documented = [CODE_SPAN.findall(row[0])[0] for header, rows in found if header[0] == "gate" for row in rows]
    if documented != in_code:
        yield f"{BILLING_RULES}: the gates are {', '.join(in_code)}, and the table has {', '.join(documented)}"


def words_that_differ(repository):
    """What the customer reads about a decline is what the code says, word for word."""
    words = repository.texts[WORDS]
    for header, rows in tables(repository.texts[BILLING_RULES]):
        columns = [column for column, name in enumerate(header) if name.endswith("for the customer")]
        for sentence in (row[column] for row in rows for column in columns):
            if f'"{sentence}"' not in words:
                yield f"{BILLING_RULES}: {WORDS} does not say: {sentence}"


def stored_words_without_a_document(repository):
    """The stored words of a status are in the data model, those of a decline in the billing rules."""
    source = "\n".join(repository.texts[path] for path in (RECORDS, PAYMENT_ISSUE))
    for kind, body in re.findall(r"^impl (\w+) {\n(.*?)^}", source, re.MULTILINE | re.DOTALL):
        path = BILLING_RULES if kind == "DeclineReason" else DATA_MODEL
        documented = set(code_spans(repository.texts[path]))
        for word in re.findall(r"=> \"(\w+)\"", body):
            if word not in documented:
                yield f"{path}: the word {word} of {kind} is not there"


def targets_that_do_not_exist(repository):
    """`make` in a document names targets of the Makefile."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", repository.makefile, re.MULTILINE))
    for path, text in repository.documents().items():
        fenced = [line.strip() for block in FENCE.findall(text) for line in block.splitlines()]
        for command in [*code_spans(text), *fenced]:
            target = re.match(r"make ([a-z][a-z-]*)", command)
            if target and target[1] not in targets:
                yield f"{path}: the Makefile has no target {target[1]}"


# ── Prose ────────────────────────────────────────────────────────────────────────────────────────────────────────


def words_to_avoid(repository):
    """Documents are written in plain American English."""
    for path, text in repository.documents().items():
        for word in AVOIDED.findall(CODE_SPAN.sub("", without_fences(text))):
            yield f"{path}: not plain American English: {word}"


def sentences_that_share_a_line(repository):
    """Each sentence has a line of its own, so that a change shows the sentence it changes."""
    for path, text in repository.documents().items():
        for line in without_fences(text).splitlines():
            if not line.lstrip().startswith(("|", "#")) and SENTENCE_END.search(CODE_SPAN.sub("`_`", line)):
                yield f"{path}: several sentences share the line: {line.strip()}"


# ── Markdown ─────────────────────────────────────────────────────────────────────────────────────────────────────


def without_fences(text):
    return FENCE.sub("", text)


def code_spans(text):
    return CODE_SPAN.findall(without_fences(text))


def tables(text):
    """Every table as its header's cells and its rows' cells."""
    found = []
    for block in re.findall(r"(?:^ *\|.*\|\n?)+", without_fences(text), re.MULTILINE):
        lines = [line.strip().strip("|") for line in block.splitlines()]
        header, _, *rows = [[cell.strip() for cell in line.split("|")] for line in lines]
        found.append((header, rows))
    return found


def snake_case(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
