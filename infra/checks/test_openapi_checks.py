"""The description passes every check, and every check fails on a description broken for it."""

from copy import deepcopy
from pathlib import Path

import pytest

import template_checks
from openapi_checks import load, problems

ROOT = Path(__file__).parents[2]
TEMPLATE = template_checks.load(ROOT / "template.yaml")
DOCUMENT = load(ROOT / "infra" / "openapi.yaml")


def test_the_description_has_no_problem():
    assert problems(DOCUMENT, TEMPLATE) == []


def operation(document, path, method):
    return document["paths"][path][method]


def charge(document):
    return operation(document, "/v1/accounts/{account}/charges", "post")


def problem_examples(document, response):
    return document["components"]["responses"][response]["content"]["application/problem+json"]["examples"]


def body(document, example):
    return charge(document)["requestBody"]["content"]["application/json"]["examples"][example]["value"]


# The change to the description → a part of the resulting sentence.
BREAKAGES = {
    "a deployed route is left out": (
        lambda d: d["paths"].pop("/v1/quotes"),
        "POST /v1/quotes is deployed and not described",
    ),
    "a described route is not deployed": (
        lambda d: d["paths"].update({"/v1/gifts": {"post": {"responses": {}, "security": []}}}),
        "POST /v1/gifts is described and not deployed",
    ),
    "a path is spelled otherwise": (
        lambda d: d["paths"].update({"/pay/{link}": d["paths"].pop("/pay/{token}")}),
        "GET /pay/{link} is described and not deployed",
    ),
    "a route is described as open": (
        lambda d: charge(d).update(security=[]),
        "POST /v1/accounts/{account}/charges is described with other scopes",
    ),
    "a route is described as allowed for customers": (
        lambda d: charge(d)["security"].append({"token": ["credits/customer"]}),
        "POST /v1/accounts/{account}/charges is described with other scopes",
    ),
    "two scopes are required at once": (
        lambda d: operation(d, "/v1/packages", "get").update(security=[{"token": ["credits/customer", "credits/service"]}]),
        "GET /v1/packages is described with other scopes",
    ),
    "a charge needs no key": (
        lambda d: charge(d).pop("parameters"),
        "POST /v1/accounts/{account}/charges moves money and does not require",
    ),
    "the key is optional": (
        lambda d: d["components"]["parameters"]["IdempotencyKey"].update(required=False),
        "POST /v1/accounts/{account}/purchases moves money and does not require",
    ),
    "a replay looks like a first answer": (
        lambda d: charge(d)["responses"]["200"].pop("headers"),
        "POST /v1/accounts/{account}/charges does not describe its replay",
    ),
    "an example has a fraction of a credit": (
        lambda d: d["components"]["examples"]["Charge"]["value"].update(credits=15.5),
        "15.5 is not of type 'integer'",
    ),
    "an example lacks a property": (
        lambda d: d["components"]["examples"]["Restore"]["value"].pop("seq"),
        "'seq' is a required property",
    ),
    "an example has both measures": (
        lambda d: body(d, "dubbing").update(max_minutes=1),
        "is not valid under any of the given schemas",
    ),
    "an example switches on without consent": (
        lambda d: d["components"]["schemas"]["AutoTopUpRequest"].update(required=["enabled", "threshold"]),
        "'threshold' is a required property",
    ),
    "a problem's example lacks what is missing": (
        lambda d: problem_examples(d, "InsufficientCredits")["insufficient"]["value"].pop("missing"),
        "is not valid under any of the given schemas",
    ),
    "a time is not a valid time": (
        lambda d: d["components"]["examples"]["Account"]["value"].update(created_at="yesterday"),
        "'yesterday' is not a 'date-time'",
    ),
    "a body has no example": (
        lambda d: charge(d)["requestBody"]["content"]["application/json"].pop("examples"),
        "POST /v1/accounts/{account}/charges has a body of application/json without an example",
    ),
}


@pytest.mark.parametrize(("breakage", "sentence"), BREAKAGES.values(), ids=BREAKAGES)
def test_a_broken_description_is_refused(breakage, sentence):
    broken = deepcopy(DOCUMENT)
    breakage(broken)
    found = problems(broken, TEMPLATE)
    assert any(sentence in problem for problem in found), found
