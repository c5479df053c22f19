"""The template passes every check, and every check fails on a template broken for it."""

from copy import deepcopy
from pathlib import Path

import pytest

from template_checks import load, problems, routes

ROOT = Path(__file__).parents[2]
TEMPLATE = load(ROOT / "template.yaml")


def test_the_template_has_no_problem():
    assert problems(TEMPLATE, ROOT) == []


def test_the_routes_without_authorizer_are_those_that_were_decided():
    open_routes = {route for route, scopes in routes(TEMPLATE).items() if scopes is None}
    assert open_routes == {
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


def properties(template, name):
    return template["Resources"][name]["Properties"]


def charge_route(template):
    return properties(template, "ChargingFunction")["Events"]["Charge"]["Properties"]


def statement(template, position):
    return properties(template, "ChargingRole")["Policies"][0]["PolicyDocument"]["Statement"][position]


def sweep_statement(template, action):
    statements = properties(template, "TopUpSweepRole")["Policies"][0]["PolicyDocument"]["Statement"]
    return next(statement for statement in statements if statement["Action"] == action)


def timer_statement(template):
    return sweep_statement(template, "scheduler:CreateSchedule")


def variables(template):
    return properties(template, "ChargingFunction")["Environment"]["Variables"]


# The change to the template → a part of the resulting sentence.
BREAKAGES = {
    "a route opts out of the authorizer": (
        lambda t: charge_route(t).update(Auth={"Authorizer": "NONE"}),
        "POST /v1/accounts/{account}/charges has no authorizer",
    ),
    "a route names an authorizer that does not exist": (
        lambda t: charge_route(t)["Auth"].update(Authorizer="Other"),
        "POST /v1/accounts/{account}/charges has no authorizer",
    ),
    "a route joins SAM's implicit API": (
        lambda t: charge_route(t).pop("ApiId"),
        "POST /v1/accounts/{account}/charges has no authorizer",
    ),
    "the API loses its default authorizer": (
        lambda t: properties(t, "Api")["Auth"].pop("DefaultAuthorizer"),
        "GET /v1/packages has no authorizer",
    ),
    "a route accepts any token": (
        lambda t: charge_route(t).pop("Auth"),
        "POST /v1/accounts/{account}/charges names no scope",
    ),
    "an open route takes another method": (
        lambda t: properties(t, "PurchasesFunction")["Events"]["Pay"]["Properties"].update(Method="ANY"),
        "ANY /pay/{token+} has no authorizer",
    ),
    "a function gets a URL": (
        lambda t: properties(t, "ChargingFunction").update(FunctionUrlConfig={"AuthType": "NONE"}),
        "ChargingFunction has a URL of its own",
    ),
    "a function listens to a REST API": (
        lambda t: properties(t, "ChargingFunction")["Events"]["Charge"].update(Type="Api"),
        "ChargingFunction.Charge: an event of type Api",
    ),
    "a route is written outside the API": (
        lambda t: t["Resources"].update(Back={"Type": "AWS::ApiGatewayV2::Route", "Properties": {}}),
        "Back: a route outside the one HttpApi",
    ),
    "a secret parameter gets a default": (
        lambda t: t["Parameters"]["StripeSecretArn"].update(Default=""),
        "parameter StripeSecretArn is a secret and has a default",
    ),
    "a hidden parameter gets a default": (
        lambda t: t["Parameters"].update(Pepper={"Type": "String", "NoEcho": True, "Default": "x"}),
        "parameter Pepper is a secret and has a default",
    ),
    "an action is a wildcard": (
        lambda t: statement(t, 1).update(Action="dynamodb:*"),
        "Action has a wildcard: dynamodb:*",
    ),
    "one action among several is a wildcard": (
        lambda t: statement(t, 1)["Action"].append("dynamodb:Batch*"),
        "Action has a wildcard: dynamodb:Batch*",
    ),
    "a resource is a wildcard": (
        lambda t: statement(t, 1).update(Resource="*"),
        "Resource has a wildcard: *",
    ),
    "a resource hides a wildcard in a substitution": (
        lambda t: statement(t, 1).update(Resource={"Fn::Sub": "${Table.Arn}/index/*"}),
        "Resource has a wildcard: ${Table.Arn}/index/*",
    ),
    "a function may create schedules in every group": (
        lambda t: timer_statement(t).update(Resource={"Fn::Sub": "arn:aws:scheduler:us-east-1:000000000000:schedule/*/*"}),
        "Resource has a wildcard",
    ),
    "the group of the timers is another's": (
        lambda t: t["Resources"].pop("Timers"),
        "Resource has a wildcard",
    ),
    "the wildcard of the timers is used for more": (
        lambda t: timer_statement(t).update(Action=["scheduler:CreateSchedule", "iam:PassRole"]),
        "Resource has a wildcard",
    ),
    "a role may be passed to any service": (
        lambda t: sweep_statement(t, "iam:PassRole").pop("Condition"),
        "passes a role to any service",
    ),
    "the scheduler may wake functions for others": (
        lambda t: properties(t, "TopUpSweepTimerRole")["AssumeRolePolicyDocument"]["Statement"][0].pop("Condition"),
        "lets the scheduler in for schedules of others",
    ),
    "a statement allows all but one action": (
        lambda t: statement(t, 1).update(NotAction="dynamodb:Scan"),
        "allows everything but its NotAction",
    ),
    "any account may assume a role": (
        lambda t: properties(t, "ChargingRole")["AssumeRolePolicyDocument"]["Statement"][0].update(Principal="*"),
        "Principal has a wildcard: *",
    ),
    "a role takes a managed policy": (
        lambda t: properties(t, "ChargingRole").update(ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
        "ChargingRole.Properties takes its permissions from a managed policy",
    ),
    "a function leaves its role to SAM": (
        lambda t: properties(t, "ChargingFunction").pop("Role"),
        "ChargingFunction has no role of its own",
    ),
    "a log group has no retention": (
        lambda t: properties(t, "ChargingLogs").pop("RetentionInDays"),
        "ChargingLogs keeps its logs permanently",
    ),
    "a function leaves its log group to Lambda": (
        lambda t: properties(t, "ChargingFunction").pop("LoggingConfig"),
        "ChargingFunction logs to a group outside the template",
    ),
    "the errors of a function are not counted": (
        lambda t: t["Resources"].pop("ChargingLoggedErrors"),
        "no alarm rings when ChargingFunction logs an error",
    ),
    "only warnings are counted": (
        lambda t: properties(t, "ChargingLoggedErrors").update(FilterPattern='{ $.level = "WARN" }'),
        "no alarm rings when ChargingFunction logs an error",
    ),
    "the alarm is removed": (
        lambda t: t["Resources"].pop("LoggedErrors"),
        "no alarm rings when ChargingFunction logs an error",
    ),
    "the access log is removed": (
        lambda t: properties(t, "Api").pop("AccessLogSettings"),
        "Api has no access log",
    ),
    "a Stripe key is written into a variable": (
        lambda t: variables(t).update(STRIPE="sk_" + "live_0"),
        "ChargingFunction: the value of STRIPE looks like a live key",
    ),
    "a webhook secret is written into a variable of every function": (
        lambda t: t["Globals"]["Function"]["Environment"]["Variables"].update(HOOK="whsec" + "_0"),
        "Globals: the value of HOOK looks like a live key",
    ),
    "a key hides in a condition": (
        lambda t: variables(t).update(AWS={"Fn::If": ["HasPublicUrl", "AKIA" + "0" * 16, ""]}),
        "ChargingFunction: the value of AWS looks like a live key",
    ),
    "a random value is written into a variable": (
        lambda t: variables(t).update(SALT="0a1b2c3d" * 4),
        "ChargingFunction: the value of SALT looks like a live key",
    ),
    "an alarm says nothing": (
        lambda t: properties(t, "ApiErrors").pop("AlarmDescription"),
        "the description of ApiErrors names no runbook",
    ),
    "the runbook of an alarm does not exist": (
        lambda t: properties(t, "ApiErrors").update(AlarmDescription="It failed. See docs/runbooks/none.md"),
        "docs/runbooks/none.md does not have ApiErrors",
    ),
    "the runbook of an alarm is another one's": (
        lambda t: properties(t, "ApiErrors").update(AlarmDescription="It failed. See docs/runbooks/alerts-failed.md"),
        "docs/runbooks/alerts-failed.md does not have ApiErrors",
    ),
    "a runbook is about no alarm": (
        lambda t: t["Resources"].pop("AlertsFailed"),
        "docs/runbooks/README.md lists AlertsFailed, which is no alarm",
    ),
    "an alarm waits for a metric of another function": (
        lambda t: properties(t, "AlertsFailed").update(Dimensions=[{"Name": "function", "Value": "usage"}]),
        "AlertsFailed shows failed of usage, which nothing emits",
    ),
    "an alarm waits for a metric that nothing counts": (
        lambda t: properties(t, "LoggedErrors").update(MetricName="errors"),
        "LoggedErrors shows errors of None, which nothing emits",
    ),
    "the dashboard shows a metric that nothing counts": (
        lambda t: properties(t, "Dashboard")["DashboardBody"].update(
            {"Fn::Sub": properties(t, "Dashboard")["DashboardBody"]["Fn::Sub"].replace('"declined"', '"rejected"')}
        ),
        "Dashboard shows rejected of top-up-sweep, which nothing emits",
    ),
    "a variable is a secret by its name": (
        lambda t: variables(t).update(LINK_SECRET="abc"),
        "ChargingFunction: LINK_SECRET is a secret by its name",
    ),
    "the default of a parameter is a key": (
        lambda t: t["Parameters"]["PriceBook"].update(Default="rk_" + "live_0"),
        "the default of parameter PriceBook looks like a live key",
    ),
    "a binary has no crate": (
        lambda t: t["Resources"]["ChargingFunction"]["Metadata"]["BuildProperties"].update(Binary="charge"),
        "ChargingFunction: no crate functions/charge",
    ),
    "an index that may be provisioned does not scale": (
        lambda t: t["Resources"].pop("HistoryWriteScaling"),
        "the write capacity of table/${Table}/index/history does not scale",
    ),
    "a new index does not scale": (
        lambda t: properties(t, "Table")["GlobalSecondaryIndexes"].append({"IndexName": "other"}),
        "the read capacity of table/${Table}/index/other does not scale",
    ),
    "reads are scaled by the use of writes": (
        lambda t: properties(t, "DueReadScaling")["TargetTrackingScalingPolicyConfiguration"].update(
            PredefinedMetricSpecification={"PredefinedMetricType": "DynamoDBWriteCapacityUtilization"}
        ),
        "the read capacity of table/${Table}/index/due does not scale",
    ),
    "a table that is paid per request gets a scalable target": (
        lambda t: t["Resources"]["TableReadCapacity"].pop("Condition"),
        "TableReadCapacity would also be created for a table that is paid per request",
    ),
}


@pytest.mark.parametrize(("breakage", "sentence"), BREAKAGES.values(), ids=BREAKAGES)
def test_a_broken_template_is_refused(breakage, sentence):
    broken = deepcopy(TEMPLATE)
    breakage(broken)
    found = problems(broken, ROOT)
    assert any(sentence in problem for problem in found), found
