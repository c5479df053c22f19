//! What invokes the functions: routes with their authorizers, schedules, table streams, rules for events.

use std::time::Duration;

use serde_json::Value;

use super::document::{Content, Node, Place};
use super::{Reader, Template, TemplateError};
use crate::filter::FilterCriteria;
use crate::routes::RoutePath;

/// One route of the HTTP API.
#[derive(Clone, Debug)]
pub struct Route {
    /// Upper case, or `ANY`.
    pub method: String,
    pub path: RoutePath,
    /// The logical id of the function that answers.
    pub function: String,
    /// The name of the JWT authorizer; `None` for a public route.
    pub authorizer: Option<String>,
    /// A token needs one of these. If empty, every valid token is accepted.
    pub scopes: Vec<String>,
}

impl Route {
    /// `GET /pets/{id}` or `$default`, as in events.
    #[must_use]
    pub fn key(&self) -> String {
        match self.path {
            RoutePath::Default => "$default".to_owned(),
            RoutePath::Segments(_) => format!("{} {}", self.method, self.path),
        }
    }
}

/// One JWT authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorizer {
    /// As in the template. Tokens must have exactly this `iss`.
    pub issuer: String,
    /// A token must have one of these audiences.
    pub audience: Vec<String>,
    /// The request header of the token, in lower case.
    pub header: String,
    /// The scopes of every route that has none itself.
    pub scopes: Vec<String>,
}

/// `CorsConfiguration` of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// `*` means any.
    pub allow_origins: Vec<String>,
    pub allow_methods: Vec<String>,
    pub allow_headers: Vec<String>,
    pub expose_headers: Vec<String>,
    /// How long a browser may cache the answer to a preflight request.
    pub max_age_seconds: Option<u32>,
}

/// One `ScheduleV2` event.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    pub name: String,
    pub arn: String,
    /// `rate(…)` or `cron(…)`, in UTC.
    pub expression: String,
    /// The logical id of the function.
    pub function: String,
    /// The payload as written. Without one, the function receives EventBridge Scheduler's own event.
    pub input: Option<String>,
    /// How many times the scheduler retries if the function could not be reached, 0–185.
    pub retries: u32,
    /// How long the scheduler keeps trying, 60–86,400 seconds.
    pub event_age_max: Duration,
}

/// One `DynamoDB` event: a table's stream read by a function.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The logical id of the table.
    pub table: String,
    /// The logical id of the function.
    pub function: String,
    /// The number of records in one invocation, 1–10,000.
    pub batch_size: usize,
    pub filters: FilterCriteria,
    /// Whether a failed batch is split in two before a retry.
    pub bisect: bool,
    /// How many times a failed batch is retried; `None` means without limit.
    pub retries: Option<u32>,
    /// Whether the function may name the records that failed (`ReportBatchItemFailures`).
    pub reports_item_failures: bool,
    /// The ARN of the destination for batches that failed permanently.
    pub failure_destination: Option<String>,
}

/// One `EventBridgeRule` event: events of the default bus that are passed to a function.
#[derive(Clone, Debug)]
pub struct EventRule {
    /// The logical id of the function.
    pub function: String,
    pub pattern: FilterCriteria,
}

/// One `AWS::SES::ConfigurationSet`, and what it publishes on the default bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationSet {
    pub name: String,
    /// Whether addresses on the account's suppression list bounce. They do unless the set has an empty list of reasons.
    pub is_suppressing: bool,
    /// `BOUNCE`, `COMPLAINT` and so on.
    pub published: Vec<String>,
}

/// The API's settings that routes inherit.
pub(super) struct Api {
    logical_id: Option<String>,
    default_authorizer: Option<String>,
}

impl Reader<'_> {
    pub(super) fn http_api(&self, template: &mut Template) -> Result<Api, TemplateError> {
        let apis = self.resources("AWS::Serverless::HttpApi")?;
        let (logical_id, resource) = match apis.as_slice() {
            [] => return Ok(Api { logical_id: None, default_authorizer: None }),
            [api] => *api,
            [_, second, ..] => return Err(unsupported(&second.1.place, "a second HTTP API")),
        };
        for name in ["DefinitionBody", "DefinitionUri"] {
            if let Some(property) = self.property(resource, "HttpApi", name)? {
                return Err(unsupported(&property.place, name));
            }
        }
        if let Some(stage) = self.property(resource, "HttpApi", "StageName")?
            && stage.as_text()? != "$default"
        {
            return Err(unsupported(&stage.place, "a stage other than $default"));
        }
        template.api_id = self.reference(logical_id, &resource.place)?;
        let cors = self.property(resource, "HttpApi", "CorsConfiguration")?;
        template.cors =
            cors.filter(|node| !matches!(node.content, Content::Absent)).map(|node| cors_of(&node)).transpose()?;
        let auth = self.property(resource, "HttpApi", "Auth")?;
        let mut default_authorizer = None;
        if let Some(auth) = auth {
            default_authorizer = auth.get("DefaultAuthorizer").map(Node::as_text).transpose()?.map(str::to_owned);
            for (name, authorizer) in auth.get("Authorizers").map_or(Ok(&[][..]), Node::entries)? {
                template.authorizers.insert(name.clone(), jwt_authorizer(authorizer)?);
            }
        }
        Ok(Api { logical_id: Some(logical_id.to_owned()), default_authorizer })
    }

    pub(super) fn events(
        &self,
        function: &str,
        resource: &Node,
        api: &Api,
        template: &mut Template,
    ) -> Result<(), TemplateError> {
        let Some(events) = resource.at(&["Properties", "Events"]) else { return Ok(()) };
        for (name, event) in events.entries()? {
            let kind = event.require("Type")?;
            let properties = match event.get("Properties") {
                Some(properties) => self.resolver.resolve(properties)?,
                None => Node { place: event.place.clone(), content: Content::Map(Vec::new()) },
            };
            match kind.as_text()? {
                "HttpApi" => {
                    let route = self.route(function, &properties, api, template)?;
                    if template.routes.iter().any(|other| other.key() == route.key()) {
                        return Err(TemplateError::invalid(
                            &properties.place,
                            format!("{} exists already", route.key()),
                        ));
                    }
                    template.routes.push(route);
                }
                "ScheduleV2" => template.schedules.extend(self.schedule(function, name, &properties)?),
                "DynamoDB" => template.streams.extend(stream(function, &properties, template)?),
                "EventBridgeRule" => template.event_rules.extend(event_rule(function, &properties)?),
                other => return Err(unsupported(&kind.place, &format!("event type {other}"))),
            }
        }
        Ok(())
    }

    fn route(&self, function: &str, event: &Node, api: &Api, template: &Template) -> Result<Route, TemplateError> {
        if let (Some(given), Some(logical_id)) = (event.get("ApiId"), &api.logical_id) {
            let expected = self.reference(logical_id, &given.place)?;
            if given.as_text()? != expected {
                return Err(TemplateError::UnknownName {
                    place: given.place.clone(),
                    name: given.as_text()?.to_owned(),
                });
            }
        }
        let (method, path) = match (event.get("Method"), event.get("Path")) {
            (None, None) => ("ANY".to_owned(), RoutePath::Default),
            _ => {
                let path = event.require("Path")?;
                let parsed =
                    RoutePath::parse(path.as_text()?).map_err(|reason| TemplateError::invalid(&path.place, reason))?;
                (event.require("Method")?.as_text()?.to_uppercase(), parsed)
            }
        };
        let (authorizer, scopes) = route_authorizer(event, api, template)?;
        Ok(Route { method, path, function: function.to_owned(), authorizer, scopes })
    }

    /// <https://docs.aws.amazon.com/ses/latest/dg/using-configuration-sets.html>
    pub(super) fn configuration_sets(&self) -> Result<Vec<ConfigurationSet>, TemplateError> {
        let mut sets = Vec::new();
        for (logical_id, resource) in self.resources("AWS::SES::ConfigurationSet")? {
            let reasons = resource.at(&["Properties", "SuppressionOptions", "SuppressedReasons"]);
            let is_suppressing = reasons.map_or(Ok(true), |reasons| Ok(!reasons.items()?.is_empty()))?;
            let name = self.reference(logical_id, &resource.place)?;
            sets.push(ConfigurationSet { name, is_suppressing, published: Vec::new() });
        }
        for (_, resource) in self.resources("AWS::SES::ConfigurationSetEventDestination")? {
            let properties = self.resolver.resolve(resource.require("Properties")?)?;
            let set = properties.require("ConfigurationSetName")?;
            let destination = properties.require("EventDestination")?;
            if destination.get("Enabled").map(Node::as_bool).transpose()? == Some(false) {
                continue;
            }
            if destination.get("EventBridgeDestination").is_none() {
                return Err(unsupported(&destination.place, "an event destination other than EventBridge"));
            }
            let name = set.as_text()?;
            let known = sets.iter_mut().find(|known| known.name == name);
            let known =
                known.ok_or_else(|| TemplateError::UnknownName { place: set.place.clone(), name: name.to_owned() })?;
            known.published.extend(texts(destination.require("MatchingEventTypes")?)?);
        }
        Ok(sets)
    }

    fn schedule(&self, function: &str, event_name: &str, event: &Node) -> Result<Option<Schedule>, TemplateError> {
        if event.get("State").map(Node::as_text).transpose()? == Some("DISABLED") {
            return Ok(None);
        }
        for name in ["StartDate", "EndDate"] {
            if let Some(property) = event.get(name) {
                return Err(unsupported(&property.place, name));
            }
        }
        if let Some(zone) = event.get("ScheduleExpressionTimezone")
            && !["UTC", "Etc/UTC"].contains(&zone.as_text()?)
        {
            return Err(unsupported(&zone.place, "a time zone other than UTC"));
        }
        if let Some(mode) = event.at(&["FlexibleTimeWindow", "Mode"])
            && mode.as_text()? != "OFF"
        {
            return Err(unsupported(&mode.place, "a flexible time window"));
        }
        let expression = event.require("ScheduleExpression")?;
        crate::schedules::Expression::parse(expression.as_text()?)
            .map_err(|error| TemplateError::invalid(&expression.place, error.to_string()))?;
        let name = match event.get("Name") {
            Some(name) => name.as_text()?.to_owned(),
            None => format!("{function}{event_name}"),
        };
        let retry = |name: &str| event.at(&["RetryPolicy", name]);
        let age: u32 = retry("MaximumEventAgeInSeconds").map_or(Ok(86_400), Node::as_number)?;
        Ok(Some(Schedule {
            arn: format!(
                "arn:aws:scheduler:{}:{}:schedule/default/{name}",
                self.deployment.region, self.deployment.account_id
            ),
            name,
            expression: expression.as_text()?.to_owned(),
            function: function.to_owned(),
            input: event.get("Input").map(Node::as_text).transpose()?.map(str::to_owned),
            retries: retry("MaximumRetryAttempts").map_or(Ok(185), Node::as_number)?,
            event_age_max: Duration::from_secs(age.into()),
        }))
    }
}

pub(super) fn unsupported(place: &Place, what: &str) -> TemplateError {
    TemplateError::Unsupported { place: place.clone(), what: what.to_owned() }
}

pub(super) fn texts(node: &Node) -> Result<Vec<String>, TemplateError> {
    node.items()?.iter().map(|item| Ok(item.as_text()?.to_owned())).collect()
}

fn jwt_authorizer(node: &Node) -> Result<Authorizer, TemplateError> {
    let configuration = node.require("JwtConfiguration")?;
    let header = match node.get("IdentitySource") {
        None => "authorization".to_owned(),
        Some(source) => source
            .as_text()?
            .strip_prefix("$request.header.")
            .ok_or_else(|| unsupported(&source.place, "an identity source that is not a request header"))?
            .to_lowercase(),
    };
    Ok(Authorizer {
        issuer: configuration.require("issuer")?.as_text()?.to_owned(),
        audience: texts(configuration.require("audience")?)?,
        header,
        scopes: node.get("AuthorizationScopes").map_or(Ok(Vec::new()), texts)?,
    })
}

/// The route's own settings override the API's; `NONE` makes a route public.
fn route_authorizer(
    event: &Node,
    api: &Api,
    template: &Template,
) -> Result<(Option<String>, Vec<String>), TemplateError> {
    let own = event.at(&["Auth", "Authorizer"]);
    let name = match own.map(Node::as_text).transpose()? {
        Some("NONE") => None,
        Some(name) => Some(name.to_owned()),
        None => api.default_authorizer.clone(),
    };
    let scopes = event.at(&["Auth", "AuthorizationScopes"]);
    let Some(name) = name else {
        return match scopes {
            Some(scopes) => Err(TemplateError::invalid(&scopes.place, "scopes without an authorizer protect nothing")),
            None => Ok((None, Vec::new())),
        };
    };
    let place = own.map_or(&event.place, |node| &node.place);
    let authorizer = template
        .authorizers
        .get(&name)
        .ok_or_else(|| TemplateError::UnknownName { place: place.clone(), name: name.clone() })?;
    let scopes = scopes.map_or_else(|| Ok(authorizer.scopes.clone()), texts)?;
    Ok((Some(name), scopes))
}

/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-dynamodb.html>
fn stream(function: &str, event: &Node, template: &Template) -> Result<Option<Stream>, TemplateError> {
    if event.get("Enabled").map(Node::as_bool).transpose()? == Some(false) {
        return Ok(None);
    }
    let source = event.require("Stream")?;
    let arn = source.as_text()?;
    let table = template
        .tables
        .iter()
        .find(|(_, table)| table.stream_arn == arn)
        .map(|(logical_id, _)| logical_id.clone())
        .ok_or_else(|| TemplateError::UnknownName { place: source.place.clone(), name: arn.to_owned() })?;
    let retries: i64 = event.get("MaximumRetryAttempts").map_or(Ok(-1), Node::as_number)?;
    let response_types = event.get("FunctionResponseTypes").map_or(Ok(Vec::new()), texts)?;
    Ok(Some(Stream {
        table,
        function: function.to_owned(),
        batch_size: event.get("BatchSize").map_or(Ok(100), Node::as_number)?,
        filters: filters(event)?,
        bisect: event.get("BisectBatchOnFunctionError").map_or(Ok(false), Node::as_bool)?,
        retries: u32::try_from(retries).ok(),
        reports_item_failures: response_types.iter().any(|kind| kind == "ReportBatchItemFailures"),
        failure_destination: super::on_failure(event)?,
    }))
}

/// <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-property-function-eventbridgerule.html>
fn event_rule(function: &str, event: &Node) -> Result<Option<EventRule>, TemplateError> {
    if event.get("State").map(Node::as_text).transpose()? == Some("DISABLED") {
        return Ok(None);
    }
    for name in ["EventBusName", "Input", "InputPath", "InputTransformer"] {
        if let Some(property) = event.get(name) {
            return Err(unsupported(&property.place, name));
        }
    }
    let pattern = event.require("Pattern")?;
    let mut criteria = FilterCriteria::default();
    let added = criteria.add(&pattern.to_json()?);
    added.map_err(|error| TemplateError::invalid(&pattern.place, error.to_string()))?;
    Ok(Some(EventRule { function: function.to_owned(), pattern: criteria }))
}

/// A list of origins, or just `true`, is also valid in SAM but not supported here.
fn cors_of(node: &Node) -> Result<Cors, TemplateError> {
    const KNOWN: [&str; 5] = ["AllowHeaders", "AllowMethods", "AllowOrigins", "ExposeHeaders", "MaxAge"];
    if !matches!(node.content, Content::Map(_)) {
        return Err(unsupported(&node.place, "a CorsConfiguration that is not a map"));
    }
    if let Some((name, property)) = node.entries()?.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
        return Err(unsupported(&property.place, name));
    }
    let texts = |name: &str| -> Result<Vec<String>, TemplateError> {
        let items = node.get(name).map_or(Ok(&[][..]), Node::items)?;
        items.iter().map(|item| item.as_text().map(str::to_owned)).collect()
    };
    Ok(Cors {
        allow_origins: texts("AllowOrigins")?,
        allow_methods: texts("AllowMethods")?,
        allow_headers: texts("AllowHeaders")?,
        expose_headers: texts("ExposeHeaders")?,
        max_age_seconds: node.get("MaxAge").map(Node::as_number).transpose()?,
    })
}

fn filters(event: &Node) -> Result<FilterCriteria, TemplateError> {
    let Some(filters) = event.at(&["FilterCriteria", "Filters"]) else { return Ok(FilterCriteria::default()) };
    let mut criteria = FilterCriteria::default();
    for filter in filters.items()? {
        let pattern = filter.require("Pattern")?;
        let value: Value = serde_json::from_str(pattern.as_text()?)
            .map_err(|error| TemplateError::invalid(&pattern.place, format!("the pattern is not JSON: {error}")))?;
        criteria.add(&value).map_err(|error| TemplateError::invalid(&pattern.place, error.to_string()))?;
    }
    Ok(criteria)
}
