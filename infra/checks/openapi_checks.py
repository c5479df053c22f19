"""What the OpenAPI validator does not check: that the description matches this API, and that its examples are valid."""

import yaml
from openapi_schema_validator import OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from template_checks import routes

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
DOCUMENT = "urn:prepaid:openapi"
# A capture, a void and a restore move money too, but the charge in the path already identifies them.
MOVES_MONEY = {
    ("POST", "/v1/accounts/{account}/charges"),
    ("POST", "/v1/accounts/{account}/purchases"),
    ("POST", "/v1/accounts/{account}/auto-top-up/retry"),
    ("POST", "/v1/support/accounts/{account}/adjustments"),
    ("POST", "/v1/support/accounts/{account}/purchases/{purchase}/refunds"),
    ("POST", "/v1/support/accounts/{account}/top-ups/{top_up}/refunds"),
}


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)


def problems(document, template):
    return [
        *routes_that_differ(document, template),
        *money_without_a_key(document),
        *replays_that_do_not_say_so(document),
        *false_examples(document),
    ]


def routes_that_differ(document, template):
    """Paths, methods and scopes are those of the template, which is deployed."""
    described = {key: scopes(operation) for key, operation in operations(document)}
    # A parameter for the rest of the path has a plus in the template, which OpenAPI cannot express.
    deployed = {(method, path.replace("+}", "}")): scopes for (method, path), scopes in routes(template).items()}
    for method, path in sorted(described.keys() | deployed.keys()):
        if (method, path) not in described:
            yield f"{method} {path} is deployed and not described"
        elif (method, path) not in deployed:
            yield f"{method} {path} is described and not deployed"
        elif described[method, path] != deployed[method, path]:
            yield f"{method} {path} is described with other scopes than it is deployed with"


def scopes(operation):
    """Alternatives are requirements of one scope each; several in one would mean all of them."""
    requirements = operation.get("security")
    if requirements == []:
        return None
    named = [names for requirement in requirements or [] for names in requirement.values()]
    return {names[0] for names in named if len(names) == 1}


def money_without_a_key(document):
    for key, operation in operations(document):
        parameters = [resolve(document, parameter) for parameter in operation.get("parameters", [])]
        has_key = any(parameter["name"] == "Idempotency-Key" and parameter.get("required") for parameter in parameters)
        if key in MOVES_MONEY and not has_key:
            yield f"{key[0]} {key[1]} moves money and does not require an Idempotency-Key"


def replays_that_do_not_say_so(document):
    """If a request takes effect once, a header marks the response to the second one."""
    for (method, path), operation in operations(document):
        answers = operation["responses"]
        if "201" in answers and "Idempotent-Replayed" not in answers.get("200", {}).get("headers", {}):
            yield f"{method} {path} does not describe its replay"


def false_examples(document):
    registry = Registry().with_resource(DOCUMENT, DRAFT202012.create_resource(document))
    for pointer, node in nodes(document):
        if "schema" not in node:
            continue
        schema = {"$ref": f"{DOCUMENT}#{pointer}/schema"}
        validator = OAS31Validator(schema, registry=registry, format_checker=OAS31Validator.FORMAT_CHECKER)
        examples = [resolve(document, example)["value"] for example in node.get("examples", {}).values()]
        for example in [*examples, *([node["example"]] if "example" in node else [])]:
            for error in validator.iter_errors(example):
                yield f"the example at {pointer} is not what its schema says: {error.message}"
    for (method, path), operation in operations(document):
        answers = [resolve(document, answer) for answer in operation["responses"].values()]
        for body in [operation.get("requestBody", {}), *answers]:
            for kind, content in body.get("content", {}).items():
                if kind != "text/html" and not content.keys() & {"example", "examples"}:
                    yield f"{method} {path} has a body of {kind} without an example"


def operations(document):
    for path, path_item in document["paths"].items():
        for method in METHODS:
            if method in path_item:
                yield (method.upper(), path), path_item[method]


def resolve(document, node):
    while "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def nodes(node, pointer=""):
    if isinstance(node, dict):
        yield pointer, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from nodes(child, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
