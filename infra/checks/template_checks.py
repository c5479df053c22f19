"""What `sam validate --lint` and cfn-lint accept although it would cost money or leak a secret.

Each check takes the decoded template and yields one sentence per problem. None of them uses the network or AWS.
"""

import json
import re
from pathlib import Path

from cfnlint.decode import decode

ROUTES_WITHOUT_AUTHORIZER = {
    ("POST", "/v1/webhooks/stripe"),
    ("GET", "/pay/{token+}"),
    ("HEAD", "/pay/{token+}"),
    ("GET", "/receipt/{token+}"),
    ("HEAD", "/receipt/{token+}"),
    ("GET", "/confirm/{token+}"),
    ("HEAD", "/confirm/{token+}"),
    ("POST", "/confirm/{token+}"),
    ("GET", "/v1/statement-keys"),
    ("GET", "/portal/{page+}"),
    ("HEAD", "/portal/{page+}"),
    ("POST", "/portal/{page+}"),
}

# Event sources whose callers AWS identifies itself. Any other source would be an entry point that we did not choose.
EVENT_TYPES = {"HttpApi", "ScheduleV2", "DynamoDB", "EventBridgeRule"}
OTHER_DOORS = {
    "AWS::Serverless::Api",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Route",
    "AWS::Lambda::Url",
}

SECRET_NAME = re.compile(r"secret|token|password|credential|(api|private|access|signing)_?key", re.IGNORECASE)
KEY_SHAPES = re.compile(
    r"\b(sk|rk|pk)_(live|test)_\w+|\bwhsec_\w+|\b(AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|-----BEGIN|\bgh[pousr]_\w{20,}|\beyJ[\w-]+\.eyJ"
)
RANDOM_LOOKING = re.compile(r"(?=\S*[0-9])(?=\S*[a-zA-Z])[A-Za-z0-9+/=_-]{32,}")


def load(path):
    """The template as plain dictionaries, `!Ref X` as `{"Ref": "X"}`."""
    template, errors = decode(str(path))
    if errors:
        raise ValueError(f"{path}: {errors[0].message}")
    return json.loads(json.dumps(template))


# Timers get their names at run time, so the permission names their group, which belongs to the stack.
TIMERS = re.compile(r"arn:[^*]*:scheduler:[^*]*:schedule/\$\{(\w+)\}/\*")


def problems(template, root):
    return [
        *open_routes(template),
        *secrets_with_a_default(template),
        *broad_permissions(template),
        *roles_passed_to_anybody(template),
        *roles_assumed_for_anybody(template),
        *logs_kept_forever(template),
        *errors_without_an_alarm(template),
        *alarms_without_a_runbook(template, root / "docs" / "runbooks"),
        *metrics_that_are_not_emitted(template, root / "functions"),
        *keys_in_the_environment(template),
        *binaries_without_a_crate(template, root / "functions"),
        *capacity_that_does_not_scale(template),
    ]


def routes(template):
    """Every HTTP route as (method, path) → scopes; `None` if there is no authorizer."""
    found = {}
    for _, function in resources(template, "AWS::Serverless::Function"):
        for event in function.get("Events", {}).values():
            if event["Type"] != "HttpApi":
                continue
            route = event.get("Properties", {})
            api = template["Resources"].get(route.get("ApiId", {}).get("Ref"), {}).get("Properties", {})
            auth = route.get("Auth", {})
            authorizer = auth.get("Authorizer", api.get("Auth", {}).get("DefaultAuthorizer"))
            known = authorizer in api.get("Auth", {}).get("Authorizers", {})
            key = (str(route.get("Method", "ANY")).upper(), route.get("Path", "$default"))
            found[key] = set(auth.get("AuthorizationScopes", [])) if known else None
    return found


def open_routes(template):
    for (method, path), scopes in routes(template).items():
        if (method, path) in ROUTES_WITHOUT_AUTHORIZER:
            continue
        if scopes is None:
            yield f"{method} {path} has no authorizer"
        elif not scopes:
            yield f"{method} {path} names no scope, so an identity token would pass"
    for name, function in resources(template, "AWS::Serverless::Function"):
        for event_name, event in function.get("Events", {}).items():
            if event["Type"] not in EVENT_TYPES:
                yield f"{name}.{event_name}: an event of type {event['Type']} is not covered by these checks"
        if "FunctionUrlConfig" in function:
            yield f"{name} has a URL of its own, which no authorizer protects"
    for name, resource in template["Resources"].items():
        if resource["Type"] in OTHER_DOORS:
            yield f"{name}: a route outside the one HttpApi is not covered by these checks"


def secrets_with_a_default(template):
    for name, parameter in template.get("Parameters", {}).items():
        is_secret = SECRET_NAME.search(name) or parameter.get("NoEcho") in (True, "true")
        if is_secret and "Default" in parameter:
            yield f"parameter {name} is a secret and has a default"


def broad_permissions(template):
    for path, node in nodes(template["Resources"]):
        if "ManagedPolicyArns" in node:
            yield f"{path} takes its permissions from a managed policy"
        if node.get("Effect") != "Allow":
            continue
        for inverse in ("NotAction", "NotResource", "NotPrincipal"):
            if inverse in node:
                yield f"{path} allows everything but its {inverse}"
        for element in ("Action", "Resource", "Principal"):
            for text in strings(node.get(element)):
                if "*" in text and not is_group_of_timers(template, node, text):
                    yield f"{path}: {element} has a wildcard: {text}"
    for name, function in resources(template, "AWS::Serverless::Function"):
        if "Role" not in function:
            yield f"{name} has no role of its own; the one SAM generates carries managed policies"


def is_group_of_timers(template, statement, resource):
    group = TIMERS.fullmatch(resource)
    kind = template["Resources"].get(group[1], {}).get("Type") if group else None
    return kind == "AWS::Scheduler::ScheduleGroup" and all(
        action.startswith("scheduler:") for action in strings(statement.get("Action"))
    )


def roles_passed_to_anybody(template):
    for path, node in nodes(template["Resources"]):
        if node.get("Effect") == "Allow" and "iam:PassRole" in strings(node.get("Action")):
            if not node.get("Condition", {}).get("StringEquals", {}).get("iam:PassedToService"):
                yield f"{path} passes a role to any service"


def roles_assumed_for_anybody(template):
    """The scheduler acts for every AWS account, so a role must say whose schedules may use it."""
    for path, node in nodes(template["Resources"]):
        if "scheduler.amazonaws.com" in strings(node.get("Principal")):
            condition = node.get("Condition", {}).get("StringEquals", {})
            if not {"aws:SourceAccount", "aws:SourceArn"} <= set(condition):
                yield f"{path} lets the scheduler in for schedules of others"


def logs_kept_forever(template):
    groups = dict(resources(template, "AWS::Logs::LogGroup"))
    for name, group in groups.items():
        if "RetentionInDays" not in group:
            yield f"{name} keeps its logs permanently"
    for name, function in resources(template, "AWS::Serverless::Function"):
        if function.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref") not in groups:
            yield f"{name} logs to a group outside the template, which Lambda creates without retention"
    for name, api in resources(template, "AWS::Serverless::HttpApi"):
        destination = api.get("AccessLogSettings", {}).get("DestinationArn", {}).get("Fn::GetAtt", [None])
        if destination[0] not in groups:
            yield f"{name} has no access log in a group of the template"


def errors_without_an_alarm(template):
    """Every error that a function logs is counted, and the count has an alarm."""
    alarms = {alarm.get("MetricName") for _, alarm in resources(template, "AWS::CloudWatch::Alarm")}
    counted = set()
    for _, counter in resources(template, "AWS::Logs::MetricFilter"):
        metrics = {metric["MetricName"] for metric in counter["MetricTransformations"]}
        if counter["FilterPattern"] == '{ $.level = "ERROR" }' and metrics <= alarms:
            counted.add(counter["LogGroupName"]["Ref"])
    for name, function in resources(template, "AWS::Serverless::Function"):
        if function.get("LoggingConfig", {}).get("LogGroup", {}).get("Ref") not in counted:
            yield f"no alarm rings when {name} logs an error"


def alarms_without_a_runbook(template, runbooks):
    """Each alarm's description names a page that names the alarm, and the list of pages has no other alarms."""
    alarms = dict(resources(template, "AWS::CloudWatch::Alarm"))
    for name, alarm in alarms.items():
        page = re.search(r" See docs/runbooks/([\w-]+\.md)$", alarm.get("AlarmDescription", ""))
        if page is None:
            yield f"the description of {name} names no runbook"
            continue
        pages = {"README.md": f"({page[1]})", page[1]: "# "}
        for file, text in pages.items():
            lines = (runbooks / file).read_text(encoding="utf-8") if (runbooks / file).exists() else ""
            if f"`{name}`" not in lines or text not in lines:
                yield f"docs/runbooks/{file} does not have {name}"
    listed = re.findall(r"^\| (`.*?) \|", (runbooks / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    for name in re.findall(r"`(\w+)`", " ".join(listed)):
        if name not in alarms:
            yield f"docs/runbooks/README.md lists {name}, which is no alarm"


def metrics_that_are_not_emitted(template, functions):
    """Alarms and dashboards show only metrics of ours that the logs are searched for or a function emits."""
    filtered = {
        metric["MetricName"]
        for _, counter in resources(template, "AWS::Logs::MetricFilter")
        for metric in counter["MetricTransformations"]
    }
    crates = [
        " ".join(path.read_text(encoding="utf-8") for path in (crate / "src").glob("*.rs"))
        for crate in functions.iterdir()
    ]
    for name, metric, function in shown_metrics(template):
        is_emitted = any(f'"{metric}"' in crate and f'"{function}"' in crate for crate in crates)
        if not (metric in filtered if function is None else is_emitted):
            yield f"{name} shows {metric} of {function}, which nothing emits"


def shown_metrics(template):
    """Each of our metrics that an alarm or a dashboard shows: resource, metric, and the function that emits it."""
    for name, alarm in resources(template, "AWS::CloudWatch::Alarm"):
        if alarm["Namespace"] == "Prepaid":
            yield name, alarm["MetricName"], next((each["Value"] for each in alarm.get("Dimensions", [])), None)
    for name, dashboard in resources(template, "AWS::CloudWatch::Dashboard"):
        for widget in json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]:
            for namespace, metric, *dimensions in widget["properties"]["metrics"]:
                if namespace == "Prepaid":
                    yield name, metric, dict(zip(dimensions[::2], dimensions[1::2])).get("function")


def keys_in_the_environment(template):
    functions = [*resources(template, "AWS::Serverless::Function"), *resources(template, "AWS::Lambda::Function")]
    everywhere = ("Globals", template.get("Globals", {}).get("Function", {}))
    for name, function in [everywhere, *functions]:
        for variable, value in function.get("Environment", {}).get("Variables", {}).items():
            for text in strings(value):
                if KEY_SHAPES.search(text) or RANDOM_LOOKING.fullmatch(text):
                    yield f"{name}: the value of {variable} looks like a live key"
            if isinstance(value, str) and SECRET_NAME.search(variable):
                yield f"{name}: {variable} is a secret by its name and is written out"
    for name, parameter in template.get("Parameters", {}).items():
        if KEY_SHAPES.search(str(parameter.get("Default", ""))):
            yield f"the default of parameter {name} looks like a live key"


def binaries_without_a_crate(template, functions_directory):
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            binary = resource.get("Metadata", {}).get("BuildProperties", {}).get("Binary")
            if not binary or not (Path(functions_directory) / binary / "Cargo.toml").is_file():
                yield f"{name}: no crate functions/{binary}"


def capacity_that_does_not_scale(template):
    """If a table may be provisioned, reads and writes of it and of each index scale, and only then."""
    scaling = scaling_policies(template)
    for name, table in resources(template, "AWS::DynamoDB::Table"):
        if table.get("BillingMode") == "PAY_PER_REQUEST":
            continue
        indexes = [index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])]
        parts = {f"table/${{{name}}}": "table"} | {f"table/${{{name}}}/index/{index}": "index" for index in indexes}
        for part, kind in parts.items():
            for dimension in ("Read", "Write"):
                if (part, f"dynamodb:{kind}:{dimension}CapacityUnits") not in scaling:
                    yield f"the {dimension.lower()} capacity of {part} does not scale"
    for name, resource in template["Resources"].items():
        if resource["Type"].startswith("AWS::ApplicationAutoScaling::") and "Condition" not in resource:
            yield f"{name} would also be created for a table that is paid per request"


def scaling_policies(template):
    """What scales, as (resource, dimension): those that a policy tracks with their own metric."""
    targets = dict(resources(template, "AWS::ApplicationAutoScaling::ScalableTarget"))
    found = set()
    for _, policy in resources(template, "AWS::ApplicationAutoScaling::ScalingPolicy"):
        target = targets.get(policy["ScalingTargetId"]["Ref"], {})
        metric = policy["TargetTrackingScalingPolicyConfiguration"]["PredefinedMetricSpecification"]["PredefinedMetricType"]
        dimension = target.get("ScalableDimension", "")
        if metric == f"DynamoDB{dimension.split(':')[-1].removesuffix('Units')}Utilization":
            found.add((target["ResourceId"]["Fn::Sub"], dimension))
    return found


def resources(template, kind):
    for name, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield name, resource.get("Properties", {})


def nodes(node, path=""):
    """Every dictionary below `node` with the path that leads to it."""
    if isinstance(node, dict):
        yield path, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from nodes(child, f"{path}.{key}" if path else str(key))


def strings(node):
    """Every literal text below `node`, without the names that `Ref` and `Fn::GetAtt` refer to."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for child in node:
            yield from strings(child)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key not in ("Ref", "Fn::GetAtt", "Condition"):
                yield from strings(child)
