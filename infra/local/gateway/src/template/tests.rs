use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::*;

const TEMPLATE: &str = include_str!("../../tests/fixtures/template.yaml");

fn deployment() -> Deployment {
    let parameters = BTreeMap::from([("JwtIssuer".to_owned(), "http://127.0.0.1:9000".to_owned())]);
    Deployment { parameters, ..Deployment::default() }
}

fn template() -> Template {
    Template::parse(TEMPLATE, &deployment()).unwrap()
}

fn refusal(yaml: &str) -> String {
    Template::parse(yaml, &deployment()).unwrap_err().to_string()
}

/// The fixture with one replacement; the replaced text must exist.
fn changed(from: &str, to: &str) -> String {
    assert!(TEMPLATE.contains(from), "{from}");
    TEMPLATE.replace(from, to)
}

#[test]
fn routes_carry_their_authorizer_and_scopes() {
    let template = template();
    let routes: Vec<_> = template
        .routes
        .iter()
        .map(|route| (route.key(), route.function.as_str(), route.authorizer.as_deref(), route.scopes.join(" ")))
        .collect();
    assert_eq!(
        routes,
        [
            ("GET /pets".to_owned(), "Pets", Some("Jwt"), String::new()),
            ("POST /pets".to_owned(), "Pets", Some("Jwt"), "pets/write pets/admin".to_owned()),
            ("GET /pets/{id}".to_owned(), "Pets", Some("Jwt"), String::new()),
            ("ANY /public/{proxy+}".to_owned(), "Pets", None, String::new()),
        ]
    );
    let authorizer = &template.authorizers["Jwt"];
    assert_eq!(authorizer.issuer, "http://127.0.0.1:9000");
    assert_eq!(authorizer.audience, ["pets"]);
    assert_eq!(authorizer.header, "authorization");
}

#[test]
fn an_environment_is_that_of_globals_and_the_function_with_every_intrinsic_resolved() {
    let template = template();
    let environment = &template.functions["Pets"].environment;
    let expected = [
        ("API_URL", "https://local.execute-api.us-east-1.amazonaws.com"),
        ("LIMIT", "010"),
        ("LITERAL", "good dev, ${Name} of us-east-1"),
        ("LOG_LEVEL", "debug"),
        ("QUEUE", "arn:aws:sqs:us-east-1:000000000000:local-Failures"),
        ("TABLE_NAME", "local-pets"),
    ];
    let actual: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(actual, expected);
}

#[test]
fn functions_take_limits_from_globals_unless_they_say_otherwise() {
    let template = template();
    let limits = |name: &str| {
        let function = &template.functions[name];
        (function.binary.clone(), function.memory_mb, function.timeout.as_secs(), function.asynchronous_retries)
    };
    assert_eq!(limits("Pets"), ("pets".to_owned(), 256, 10, 2));
    assert_eq!(limits("Sweep"), ("sweep".to_owned(), 512, 60, 1));
    assert_eq!(template.functions["Pets"].arn, "arn:aws:lambda:us-east-1:000000000000:function:local-Pets");
    assert_eq!(template.function_of_binary("watcher").unwrap().logical_id, "Watcher");
}

#[test]
fn a_resource_whose_condition_fails_does_not_exist() {
    assert!(!template().functions.contains_key("OnlyInProduction"));
}

#[test]
fn schedules_keep_their_retry_policy_and_disabled_ones_are_left_out() {
    let schedules = template().schedules;
    let names: Vec<_> = schedules.iter().map(|schedule| schedule.name.as_str()).collect();
    assert_eq!(names, ["SweepHalfHourly", "daily"]);
    assert_eq!((schedules[0].retries, schedules[0].event_age_max), (3, Duration::from_mins(10)));
    assert_eq!((schedules[1].retries, schedules[1].event_age_max), (185, Duration::from_hours(24)));
    assert_eq!(schedules[1].input.as_deref(), Some(r#"{"at":"<aws.scheduler.scheduled-time>"}"#));
    assert_eq!(schedules[1].arn, "arn:aws:scheduler:us-east-1:000000000000:schedule/default/daily");
}

#[test]
fn a_stream_names_its_table_and_how_failures_are_handled() {
    let streams = template().streams;
    let [stream] = streams.as_slice() else { panic!("one stream") };
    assert_eq!((stream.table.as_str(), stream.function.as_str(), stream.batch_size), ("PetsTable", "Watcher", 10));
    assert_eq!((stream.bisect, stream.retries, stream.reports_item_failures), (true, Some(2), true));
    assert!(stream.filters.matches(&json!({ "dynamodb": { "Keys": { "PK": { "S": "PET#1" } } } })));
    assert!(!stream.filters.matches(&json!({ "dynamodb": { "Keys": { "PK": { "S": "OWNER#1" } } } })));
}

#[test]
fn a_table_keeps_its_properties_as_json() {
    let template = template();
    let table = &template.tables["PetsTable"];
    assert_eq!(table.name, "local-pets");
    assert_eq!(table.properties["TableName"], "local-pets");
    assert_eq!(table.properties["TimeToLiveSpecification"], json!({ "AttributeName": "expires_at", "Enabled": true }));
}

/// The fixture with an e-mail service that reports to the watcher.
fn reporting(reasons: &str) -> String {
    changed(
        "  HttpApi:\n",
        &format!(
            "  Reports:
    Type: AWS::SES::ConfigurationSet
    Properties: {{ SuppressionOptions: {{ SuppressedReasons: {reasons} }} }}
  Published:
    Type: AWS::SES::ConfigurationSetEventDestination
    Properties:
      ConfigurationSetName: !Ref Reports
      EventDestination:
        MatchingEventTypes: [BOUNCE, COMPLAINT]
        EventBridgeDestination: {{ EventBusArn: anything }}
  HttpApi:
"
        ),
    )
}

#[test]
fn a_configuration_set_says_what_it_publishes_and_whether_it_suppresses() {
    for (reasons, is_suppressing) in [("[]", false), ("[BOUNCE]", true)] {
        let template = Template::parse(&reporting(reasons), &deployment()).unwrap();
        let published = vec!["BOUNCE".to_owned(), "COMPLAINT".to_owned()];
        let name = "local-Reports".to_owned();
        assert_eq!(template.configuration_sets, [ConfigurationSet { name, is_suppressing, published }]);
    }
    let elsewhere = reporting("[]").replace("EventBridgeDestination: { EventBusArn: anything }", "SnsDestination: {}");
    assert!(refusal(&elsewhere).contains("an event destination other than EventBridge is not supported"));
}

#[test]
fn a_group_of_schedules_is_known_by_its_name() {
    let group = "  Group:\n    Type: AWS::Scheduler::ScheduleGroup\n    Properties: { Name: !Sub '${AWS::StackName}-later' }\n  HttpApi:\n";
    let template = Template::parse(&changed("  HttpApi:\n", group), &deployment()).unwrap();
    assert_eq!(template.schedule_groups, ["local-later"]);
}

#[test]
fn an_event_bus_is_known_by_its_name_and_its_arn() {
    let bus = "  Bus:\n    Type: AWS::Events::EventBus\n    Properties: { Name: !Sub '${AWS::StackName}-events' }\n  HttpApi:\n";
    let template = Template::parse(&changed("  HttpApi:\n", bus), &deployment()).unwrap();
    assert_eq!(template.event_buses, ["local-events"]);
}

#[test]
fn given_names_win_over_made_up_ones() {
    let mut deployment = deployment();
    deployment.references.insert("PetsTable".to_owned(), "given".to_owned());
    deployment.references.insert("HttpApi".to_owned(), "abc123".to_owned());
    deployment.attributes.insert(("PetsTable".to_owned(), "StreamArn".to_owned()), "arn:given".to_owned());
    let template = Template::parse(TEMPLATE, &deployment).unwrap();
    assert_eq!(template.api_id, "abc123");
    assert_eq!(template.functions["Pets"].environment["TABLE_NAME"], "given");
    assert_eq!(template.streams[0].table, "PetsTable");
}

#[test]
fn errors_name_the_place() {
    let line = |text: &str| TEMPLATE.lines().position(|line| line.contains(text)).unwrap() + 1;
    let path = "Resources.Pets.Properties.Environment.Variables.QUEUE";
    assert_eq!(
        refusal(&changed("!GetAtt Failures.Arn", "!GetAtt Failures.Colour")),
        format!("{path}.2 (line {}): unknown name Failures.Colour", line("QUEUE:"))
    );
    assert_eq!(
        refusal(&changed(
            "Type: ScheduleV2\n          Properties:\n            Name",
            "Type: Schedule\n          Properties:\n            Name"
        )),
        format!(
            "Resources.Sweep.Properties.Events.Daily.Type (line {}): event type Schedule is not supported locally",
            line("Daily:") + 1
        )
    );
}

#[test]
fn what_would_run_differently_from_aws_is_refused() {
    for (from, to, reason) in [
        ("Path: /pets }", "Path: pets }", "does not start with /"),
        ("Path: '/pets/{id}'", "Path: /pets", "GET /pets exists already"),
        ("DefaultAuthorizer: Jwt", "DefaultAuthorizer: Other", "unknown name Other"),
        ("$request.header.Authorization", "$request.querystring.token", "not a request header"),
        ("rate(30 minutes)", "rate(30 seconds)", "is not a schedule"),
        // R38
        ("Mode: 'OFF'", "Mode: FLEXIBLE, MaximumWindowInMinutes: 5", "a flexible time window is not supported"),
        ("[{\"prefix\":\"PET#\"}]", "[{\"like\":\"PET#\"}]", "operator like is not known"),
        ("!GetAtt PetsTable.StreamArn", "arn:elsewhere", "unknown name arn:elsewhere"),
        ("BuildProperties: { Binary: pets }", "BuildProperties: {}", "Metadata.BuildProperties.Binary is missing"),
        ("BatchSize: 10", "BatchSize: -10", "whole number in range"),
        ("Auth: { Authorizer: NONE }", "Auth: { Authorizer: NONE, AuthorizationScopes: [a] }", "protect nothing"),
        ("!Ref JwtIssuer", "!ImportValue JwtIssuer", "intrinsic function ImportValue is not supported"),
        ("Type: AWS::SQS::Queue", "Type: AWS::Scheduler::Schedule", "AWS::Scheduler::Schedule is not supported"),
        (
            "  HttpApi:\n",
            "  Old: { Type: AWS::Serverless::Api }\n  HttpApi:\n",
            "AWS::Serverless::Api is not supported",
        ),
        ("      CodeUri: .", "      FunctionUrlConfig: { AuthType: NONE }", "FunctionUrlConfig is not supported"),
        (
            "      Auth:\n        Def",
            "      CorsConfiguration: true\n      Auth:\n        Def",
            "a CorsConfiguration that is not a map is not supported",
        ),
        ("  LOG_LEVEL: info", "  LOG_LEVEL: info\n        LOG_LEVEL: warn", "duplicated key"),
    ] {
        let refusal = refusal(&changed(from, to));
        assert!(refusal.contains(reason), "{refusal}");
    }
}

#[test]
fn parameters_must_be_given_and_declared() {
    let error = Template::parse(TEMPLATE, &Deployment::default()).unwrap_err().to_string();
    assert!(error.ends_with("parameter JwtIssuer has neither a value nor a default"), "{error}");
    let mut deployment = deployment();
    deployment.parameters.insert("Typo".to_owned(), String::new());
    let error = Template::parse(TEMPLATE, &deployment).unwrap_err().to_string();
    assert_eq!(error, "parameter Typo is not declared in the template");
}

#[test]
fn long_and_short_spellings_of_an_intrinsic_are_one() {
    let long = changed("TABLE_NAME: !Ref PetsTable", "TABLE_NAME: { Ref: PetsTable }");
    let long = long.replace("!GetAtt PetsTable.StreamArn", "{ 'Fn::GetAtt': [PetsTable, StreamArn] }");
    let template = Template::parse(&long, &deployment()).unwrap();
    assert_eq!(template.functions["Pets"].environment["TABLE_NAME"], "local-pets");
    assert_eq!(template.streams[0].table, "PetsTable");
}

/// A template of one function with this role.
fn with_role(role: &str) -> String {
    let function = "Metadata: { BuildProperties: { Binary: only } }\n    Properties:
      Role: !GetAtt OnlyRole.Arn
      LoggingConfig: { LogGroup: !Ref Logs }
      EventInvokeConfig: { DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt Failures.Arn } } }";
    format!(
        "Resources:
  Only:
    Type: AWS::Serverless::Function
    {function}
  Logs: {{ Type: AWS::Logs::LogGroup, Properties: {{ LogGroupName: !Sub '/${{AWS::StackName}}/only' }} }}
  Failures: {{ Type: AWS::SQS::Queue }}
  OnlyRole:
    Type: AWS::IAM::Role
    Properties:
{role}
"
    )
}

#[test]
fn a_role_is_read_with_every_resource_resolved() {
    let role = "      Policies:
        - PolicyName: only
          PolicyDocument:
            Statement:
              - Effect: Allow
                Action: [logs:CreateLogStream, logs:PutLogEvents]
                Resource: !GetAtt Logs.Arn
              - { Effect: Deny, Action: 'sqs:*', Resource: [!GetAtt Failures.Arn] }
        - PolicyName: pass
          PolicyDocument:
            Statement:
              Effect: Allow
              Action: iam:PassRole
              Resource: !GetAtt OnlyRole.Arn
              Condition: { StringEquals: { iam:PassedToService: scheduler.amazonaws.com } }
  Apart:
    Type: AWS::IAM::Policy
    Properties:
      Roles: [another, !Ref OnlyRole]
      PolicyDocument: { Statement: { Effect: Allow, Action: lambda:InvokeFunction, Resource: !GetAtt Only.Arn } }
  Others:
    Type: AWS::IAM::Policy
    Properties: { Roles: [another], PolicyDocument: { Statement: { Effect: Allow, Action: '*', Resource: '*' } } }";
    let template = Template::parse(&with_role(role), &Deployment::default()).unwrap();
    let only = &template.functions["Only"];
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let (logs, queue) = (
        "arn:aws:logs:us-east-1:000000000000:log-group:/local/only:*",
        "arn:aws:sqs:us-east-1:000000000000:local-Failures",
    );
    assert_eq!((only.log_group.as_deref(), only.failure_destination.as_deref()), (Some(logs), Some(queue)));
    let statement = |allows, actions: &[&str], resource: &str| Statement {
        allows,
        actions: texts(actions),
        resources: texts(&[resource]),
        conditions: vec![],
    };
    let passed = vec![("iam:PassedToService".to_owned(), texts(&["scheduler.amazonaws.com"]))];
    let role = "arn:aws:iam::000000000000:role/local-OnlyRole";
    assert_eq!(
        only.role.clone().unwrap(),
        [
            statement(true, &["logs:CreateLogStream", "logs:PutLogEvents"], logs),
            statement(false, &["sqs:*"], queue),
            Statement { conditions: passed, ..statement(true, &["iam:PassRole"], role) },
            statement(true, &["lambda:InvokeFunction"], "arn:aws:lambda:us-east-1:000000000000:function:local-Only"),
        ]
    );
}

#[test]
fn what_of_a_role_cannot_be_obeyed_is_an_error() {
    let policy = |rest: &str| {
        format!(
            "      Policies: [{{ PolicyName: only, PolicyDocument: {{ Statement: [{{ Effect: Allow, {rest} }}] }} }}]"
        )
    };
    for (role, reason) in [
        ("      ManagedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess']".to_owned(), "ManagedPolicyArns"),
        (policy("NotAction: 's3:*', Resource: '*'"), "this policy element"),
        (policy("Action: 's3:*', Resource: '*', Condition: { Bool: { 'aws:SecureTransport': 'true' } }"), "Bool"),
        (policy("Action: 's3:*'"), "Resource is missing"),
        (policy("Action: 's3:*', Resource: !GetAtt Unknown.Arn"), "unknown name Unknown"),
    ] {
        let refusal = refusal_of_role(&role);
        assert!(refusal.contains(reason), "{refusal}");
    }
    assert!(template().functions["Pets"].role.is_none(), "a role that SAM would make is not read");
}

fn refusal_of_role(role: &str) -> String {
    Template::parse(&with_role(role), &Deployment::default()).unwrap_err().to_string()
}
