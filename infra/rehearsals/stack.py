"""`sam deploy` of the unchanged template, and the parts that MiniStack leaves out.

The steps follow the deployment guide in README.md in its order.
"""

import json
import re

from processes import ROOT, check, environment, run

STACK = "prepaid"
SENDER_IDENTITY = "prepaid.example"
SENDER = f"billing@{SENDER_IDENTITY}"
# No request goes to these addresses: the template accepts only https, and the stand-ins use http.
ISSUER = "https://issuer.prepaid.example"
RETURN_URL = "https://app.prepaid.example/billing"


class Stack:
    """The deployed stack."""

    def __init__(self, ministack, alarm_topic):
        self.ministack, self.alarm_topic = ministack, alarm_topic
        self.cloudformation = ministack.client("cloudformation")
        resources = self.cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
        self.resources = {resource["LogicalResourceId"]: resource for resource in resources}
        # `{api}.execute-api.localhost` is the same, but not every machine resolves names below localhost.
        self.api_url = f"{ministack.url}/_aws/execute-api/{self.id('Api')}/$default"

    def id(self, logical_id):
        return self.resources[logical_id]["PhysicalResourceId"]

    def of_type(self, resource_type):
        """The template's names of the resources of a type."""
        return [name for name, resource in self.resources.items() if resource["ResourceType"] == resource_type]

    def functions(self):
        """The configuration of each deployed function, by its name in the template."""
        client = self.ministack.client("lambda")
        names = self.of_type("AWS::Lambda::Function")
        return {name: client.get_function_configuration(FunctionName=self.id(name)) for name in names}


def deploy(ministack, local_cloud, build, architecture, sam):
    """The guide's steps before `sam deploy`, and `sam deploy`."""
    secrets = ministack.client("secretsmanager")
    secret = secrets.create_secret(Name="prepaid/stripe", SecretString=local_cloud.stripe_secret)
    topic = ministack.client("sns").create_topic(Name="prepaid-alarms")["TopicArn"]
    ministack.client("sesv2").create_email_identity(EmailIdentity=SENDER_IDENTITY)
    parameters = {
        "Architecture": architecture,
        "JwtIssuer": ISSUER,
        "JwtAudience": local_cloud.audience,
        "StripeSecretArn": secret["ARN"],
        "StripeApiBase": local_cloud.stripe,
        "ReturnUrl": RETURN_URL,
        "Sender": SENDER,
        "SenderIdentity": SENDER_IDENTITY,
        "AlarmTopicArn": topic,
    }
    command = [
        sam, "deploy",
        "--config-file", str(ROOT / "samconfig.toml"),
        "--template-file", str(build / "template.yaml"),
        "--stack-name", STACK,
        "--no-confirm-changeset",
        "--no-progressbar",
        "--parameter-overrides", *[f"{name}={value}" for name, value in parameters.items()],
    ]  # fmt: skip
    run(command, build.parent / "sam-deploy.log", environment(AWS_ENDPOINT_URL=ministack.url))
    stack = Stack(ministack, topic)
    for name, function in stack.functions().items():
        check(function["Architectures"] == [architecture], f"{name} was deployed for {function['Architectures']}")
    return stack


def correct_policies(stack):
    """Rewrites the two resources in the roles' policies that MiniStack 1.5 interprets differently from AWS.

    `!Ref` of a secret is its ARN in CloudFormation
    (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-secretsmanager-secret.html), but its
    name in MiniStack; and MiniStack supports no resource for `ses:SendEmail`, which is the sender's identity and the configuration set at AWS
    (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonses.html).
    Unchanged, both would allow nothing.
    """
    iam, secrets = stack.ministack.client("iam"), stack.ministack.client("secretsmanager")
    secret_names = [stack.id(name) for name in stack.of_type("AWS::SecretsManager::Secret")]
    arns = {name: secrets.describe_secret(SecretId=name)["ARN"] for name in secret_names}
    for role in (stack.id(name) for name in stack.of_type("AWS::IAM::Role")):
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
            for statement in document["Statement"]:
                given = statement["Resource"]
                resources = [given] if isinstance(given, str) else given
                statement["Resource"] = [arns.get(resource, resource) for resource in resources]
                if statement["Action"] == "ses:SendEmail":
                    kinds = [resource.split(":", 5)[-1].split("/")[0] for resource in resources]
                    check(kinds == ["identity", "configuration-set"], f"e-mails may be sent as {given}")
                    check(resources[0].endswith(f":identity/{SENDER_IDENTITY}"), f"e-mails may be sent as {given}")
                    statement["Resource"] = "*"
            iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


def complete_api(stack, issuer):
    """Creates the authorizer and the routes of the API.

    MiniStack 1.5 drops the OpenAPI body of an `AWS::Serverless::HttpApi` and reports CREATE_COMPLETE. This reads them
    from the template as CloudFormation stores it after SAM's transformation, so a route that is missing there is missing
    here. Only the issuer of the tokens differs: it is on this machine and without TLS.
    """
    api = stack.ministack.client("apigatewayv2")
    api_id = stack.id("Api")
    check(not api.get_routes(ApiId=api_id)["Items"], "MiniStack creates the routes now: delete complete_api")
    template = stack.cloudformation.get_template(StackName=STACK, TemplateStage="Processed")["TemplateBody"]
    template = json.loads(template) if isinstance(template, str) else template
    body = template["Resources"]["Api"]["Properties"]["Body"]
    [(name, scheme)] = body["components"]["securitySchemes"].items()
    authorizer = scheme["x-amazon-apigateway-authorizer"]
    check(authorizer["jwtConfiguration"]["issuer"] == {"Ref": "JwtIssuer"}, "the authorizer trusts another issuer")
    audience = template_parameter(stack, authorizer["jwtConfiguration"]["audience"])
    created = api.create_authorizer(
        ApiId=api_id,
        AuthorizerType="JWT",
        Name=name,
        IdentitySource=[authorizer["identitySource"]],
        JwtConfiguration={"Issuer": issuer, "Audience": audience},
    )
    routes = [
        (f"{method.upper()} {path}", operation)
        for path, methods in body["paths"].items()
        for method, operation in methods.items()
    ]
    for key, operation in routes:
        create_route(stack, api, key, operation, created["AuthorizerId"])
    return len(routes)


def create_route(stack, api, key, operation, authorizer_id):
    """Creates one route to its function with the template's scopes, or an open route if the template says so."""
    integration = operation["x-amazon-apigateway-integration"]
    function = re.search(r"\$\{(\w+)\.Arn\}", integration["uri"]["Fn::Sub"])[1]
    created = api.create_integration(
        ApiId=stack.id("Api"),
        IntegrationType="AWS_PROXY",
        IntegrationUri=stack.functions()[function]["FunctionArn"],
        PayloadFormatVersion=integration["payloadFormatVersion"],
    )
    [(scheme, scopes)] = operation["security"][0].items()
    authorization = {"AuthorizationType": "JWT", "AuthorizerId": authorizer_id, "AuthorizationScopes": scopes}
    if scheme == "NONE":
        authorization = {"AuthorizationType": "NONE"}
    target = f"integrations/{created['IntegrationId']}"
    api.create_route(ApiId=stack.id("Api"), RouteKey=key, Target=target, **authorization)


def template_parameter(stack, values):
    [described] = stack.cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    given = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described["Parameters"]}
    return [given[value["Ref"]] for value in values]
