//! The SAM template, parsed once into types. Only what is in the template exists locally.
//!
//! An event source or property that affects what runs but is not supported is an error with its position. It is never
//! ignored, because a route that only looks the same would be worse than none.
//! <https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification.html>

mod document;
mod events;
mod intrinsics;
mod role;

use std::collections::BTreeMap;
use std::time::Duration;

use document::Node;
pub use document::Place;
pub use events::{Authorizer, ConfigurationSet, Cors, EventRule, Route, Schedule, Stream};
use intrinsics::Resolver;
pub use role::Statement;
use serde_json::Value;

/// What CloudFormation would know about the stack: the parameter values and the physical names of the resources.
///
/// Missing names are generated: `STACK-LogicalId`, with ARNs in [`Deployment::region`].
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The values of the template's parameters. A missing parameter has its default.
    pub parameters: BTreeMap<String, String>,
    /// The result of `Ref` for a resource, by logical id.
    pub references: BTreeMap<String, String>,
    /// The result of `GetAtt`, by logical id and attribute.
    pub attributes: BTreeMap<(String, String), String>,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`, twelve digits.
    pub account_id: String,
    /// `AWS::StackName`.
    pub stack_name: String,
}

impl Default for Deployment {
    fn default() -> Self {
        Self {
            parameters: BTreeMap::new(),
            references: BTreeMap::new(),
            attributes: BTreeMap::new(),
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            stack_name: "local".to_owned(),
        }
    }
}

/// Everything in the template that the local runtime uses.
#[derive(Clone, Debug)]
pub struct Template {
    /// Functions by logical id.
    pub functions: BTreeMap<String, FunctionConfiguration>,
    pub routes: Vec<Route>,
    /// What pages of other origins may do; `None` if it is not configured.
    pub cors: Option<Cors>,
    /// JWT authorizers by name.
    pub authorizers: BTreeMap<String, Authorizer>,
    pub schedules: Vec<Schedule>,
    /// The names of the groups for schedules that functions create at run time.
    pub schedule_groups: Vec<String>,
    /// The names of the event buses.
    pub event_buses: Vec<String>,
    pub streams: Vec<Stream>,
    pub event_rules: Vec<EventRule>,
    pub configuration_sets: Vec<ConfigurationSet>,
    /// `AWS::DynamoDB::Table` by logical id.
    pub tables: BTreeMap<String, Table>,
    /// The id of the HTTP API, which is in every event.
    pub api_id: String,
    pub region: String,
    pub account_id: String,
}

/// One `AWS::Serverless::Function`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionConfiguration {
    pub logical_id: String,
    /// `Metadata.BuildProperties.Binary`: the name of the program and of its build directory.
    pub binary: String,
    pub name: String,
    pub arn: String,
    pub environment: BTreeMap<String, String>,
    /// MB.
    pub memory_mb: u32,
    pub timeout: Duration,
    /// How many times Lambda retries a failed asynchronous invocation, 0–2.
    pub asynchronous_retries: u32,
    /// The maximum age of an asynchronous invocation that is retried, 60–21,600 seconds.
    pub asynchronous_age_max: Duration,
    /// The ARN of the destination for asynchronous invocations that failed permanently.
    pub failure_destination: Option<String>,
    /// The ARN of the log group in the template.
    pub log_group: Option<String>,
    /// The permissions of its role; `None` if the template names no role.
    pub role: Option<Vec<Statement>>,
}

/// One `AWS::DynamoDB::Table`.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub name: String,
    pub stream_arn: String,
    /// The CloudFormation properties, with every intrinsic function resolved.
    pub properties: Value,
}

/// Why a template cannot be run locally.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("the template is not YAML at line {line}, column {column}: {reason}")]
    NotYaml { line: usize, column: usize, reason: String },
    #[error("the template is not one YAML document")]
    NotOneDocument,
    #[error("{place}: {reason}")]
    Invalid { place: Place, reason: String },
    #[error("{place}: {name} is missing")]
    Missing { place: Place, name: String },
    #[error("{place}: {what} is not supported locally")]
    Unsupported { place: Place, what: String },
    #[error("{place}: unknown name {name}")]
    UnknownName { place: Place, name: String },
    #[error("{place}: parameter {name} has neither a value nor a default")]
    NoParameterValue { place: Place, name: String },
    #[error("parameter {name} is not declared in the template")]
    UnknownParameter { name: String },
}

impl TemplateError {
    fn invalid(place: &Place, reason: impl Into<String>) -> Self {
        Self::Invalid { place: place.clone(), reason: reason.into() }
    }
}

impl Template {
    /// Parses a template as it would be deployed with the values in `deployment`.
    ///
    /// # Errors
    /// If it is not a SAM template, or uses something that cannot be resolved or run locally.
    pub fn parse(yaml: &str, deployment: &Deployment) -> Result<Self, TemplateError> {
        let root = document::parse(yaml)?;
        Reader { root: &root, resolver: Resolver::new(&root, deployment)?, deployment }.read()
    }

    /// The function built from `binary`, if the template has one.
    #[must_use]
    pub fn function_of_binary(&self, binary: &str) -> Option<&FunctionConfiguration> {
        self.functions.values().find(|function| function.binary == binary)
    }
}

/// Types of resources outside a function's `Events` that send events to functions.
const UNREAD_SOURCES: [&str; 7] = [
    "AWS::ApiGateway",
    "AWS::Events::Rule",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::Url",
    "AWS::Scheduler::Schedule",
    "AWS::Serverless::Api",
];

/// A group contains schedules but creates none.
const SCHEDULE_GROUP: &str = "AWS::Scheduler::ScheduleGroup";

struct Reader<'a> {
    root: &'a Node,
    resolver: Resolver<'a>,
    deployment: &'a Deployment,
}

impl<'a> Reader<'a> {
    fn read(&self) -> Result<Template, TemplateError> {
        self.refuse_what_would_be_missing()?;
        let mut template = Template {
            functions: BTreeMap::new(),
            routes: Vec::new(),
            cors: None,
            authorizers: BTreeMap::new(),
            schedules: Vec::new(),
            schedule_groups: Vec::new(),
            event_buses: Vec::new(),
            streams: Vec::new(),
            event_rules: Vec::new(),
            configuration_sets: self.configuration_sets()?,
            tables: BTreeMap::new(),
            api_id: "local".to_owned(),
            region: self.deployment.region.clone(),
            account_id: self.deployment.account_id.clone(),
        };
        for (logical_id, resource) in self.resources("AWS::DynamoDB::Table")? {
            template.tables.insert(logical_id.to_owned(), self.table(logical_id, resource)?);
        }
        for (logical_id, resource) in self.resources(SCHEDULE_GROUP)? {
            template.schedule_groups.push(self.reference(logical_id, &resource.place)?);
        }
        for (logical_id, resource) in self.resources("AWS::Events::EventBus")? {
            template.event_buses.push(self.reference(logical_id, &resource.place)?);
        }
        let api = self.http_api(&mut template)?;
        for (logical_id, resource) in self.resources("AWS::Serverless::Function")? {
            template.functions.insert(logical_id.to_owned(), self.function(logical_id, resource)?);
            self.events(logical_id, resource, &api, &mut template)?;
        }
        Ok(template)
    }

    /// Refuses resources that invoke functions in an unsupported way, because they would silently be missing locally.
    fn refuse_what_would_be_missing(&self) -> Result<(), TemplateError> {
        for (_, resource) in self.root.require("Resources")?.entries()? {
            let kind = resource.require("Type")?;
            let name = kind.as_text()?;
            let is_unread = name != SCHEDULE_GROUP && UNREAD_SOURCES.iter().any(|unread| name.starts_with(unread));
            let url = resource.at(&["Properties", "FunctionUrlConfig"]);
            if is_unread || url.is_some() {
                let what = if is_unread { name } else { "FunctionUrlConfig" };
                return Err(TemplateError::Unsupported { place: kind.place.clone(), what: what.to_owned() });
            }
        }
        Ok(())
    }

    /// The resources of one type whose condition is true, in the template's order.
    fn resources(&self, kind: &str) -> Result<Vec<(&'a str, &'a Node)>, TemplateError> {
        let mut found = Vec::new();
        for (logical_id, resource) in self.root.require("Resources")?.entries()? {
            if resource.require("Type")?.as_text()? != kind {
                continue;
            }
            let present = match resource.get("Condition") {
                Some(condition) => self.resolver.condition(condition.as_text()?, &condition.place)?,
                None => true,
            };
            if present {
                found.push((logical_id.as_str(), resource));
            }
        }
        Ok(found)
    }

    /// A property of the resource, or the one in `Globals` if the resource has none.
    fn property(&self, resource: &Node, section: &str, name: &str) -> Result<Option<Node>, TemplateError> {
        resource
            .at(&["Properties", name])
            .or_else(|| self.root.at(&["Globals", section, name]))
            .map(|node| self.resolver.resolve(node))
            .transpose()
    }

    fn table(&self, logical_id: &str, resource: &Node) -> Result<Table, TemplateError> {
        let properties = resource.require("Properties")?;
        Ok(Table {
            name: self.reference(logical_id, &resource.place)?,
            stream_arn: self.resolver.attribute(logical_id, "StreamArn", &resource.place)?,
            properties: self.resolver.resolve(properties)?.to_json()?,
        })
    }

    fn reference(&self, logical_id: &str, place: &Place) -> Result<String, TemplateError> {
        let reference = document::Content::Call("Ref".to_owned(), Box::new(Node::text(place, logical_id.to_owned())));
        let node = Node { place: place.clone(), content: reference };
        Ok(self.resolver.resolve(&node)?.as_text()?.to_owned())
    }

    fn function(&self, logical_id: &str, resource: &Node) -> Result<FunctionConfiguration, TemplateError> {
        let binary = resource.at(&["Metadata", "BuildProperties", "Binary"]).ok_or_else(|| TemplateError::Missing {
            place: resource.place.clone(),
            name: "Metadata.BuildProperties.Binary".to_owned(),
        })?;
        let number = |name: &str, default: u32| -> Result<u32, TemplateError> {
            self.property(resource, "Function", name)?.map_or(Ok(default), |node| node.as_number())
        };
        let asynchronous = self.property(resource, "Function", "EventInvokeConfig")?;
        let failure_destination = asynchronous.as_ref().map_or(Ok(None), on_failure)?;
        let asynchronous = |name: &str, default: u32| -> Result<u32, TemplateError> {
            asynchronous.as_ref().and_then(|node| node.get(name)).map_or(Ok(default), Node::as_number)
        };
        Ok(FunctionConfiguration {
            logical_id: logical_id.to_owned(),
            binary: self.resolver.resolve(binary)?.as_text()?.to_owned(),
            name: self.reference(logical_id, &resource.place)?,
            arn: self.resolver.attribute(logical_id, "Arn", &resource.place)?,
            environment: self.environment(resource)?,
            memory_mb: number("MemorySize", 128)?,
            timeout: Duration::from_secs(number("Timeout", 3)?.into()),
            asynchronous_retries: asynchronous("MaximumRetryAttempts", 2)?,
            asynchronous_age_max: Duration::from_secs(asynchronous("MaximumEventAgeInSeconds", 21_600)?.into()),
            failure_destination,
            log_group: self.log_group(resource)?,
            role: self.role(resource)?,
        })
    }

    /// The ARN ends in `:*`, because a function writes to the group's streams.
    fn log_group(&self, resource: &Node) -> Result<Option<String>, TemplateError> {
        let Some(group) = resource.at(&["Properties", "LoggingConfig", "LogGroup"]) else { return Ok(None) };
        let name = self.resolver.resolve(group)?;
        let Deployment { region, account_id, .. } = self.deployment;
        Ok(Some(format!("arn:aws:logs:{region}:{account_id}:log-group:{}:*", name.as_text()?)))
    }

    /// The variables of `Globals` and the function's own, which take precedence.
    fn environment(&self, resource: &Node) -> Result<BTreeMap<String, String>, TemplateError> {
        let mut environment = BTreeMap::new();
        let globals = self.root.at(&["Globals", "Function", "Environment", "Variables"]);
        let own = resource.at(&["Properties", "Environment", "Variables"]);
        for variables in [globals, own].into_iter().flatten() {
            for (name, value) in self.resolver.resolve(variables)?.entries()? {
                environment.insert(name.clone(), value.as_text()?.to_owned());
            }
        }
        Ok(environment)
    }
}

/// `DestinationConfig.OnFailure.Destination` of an event source or of asynchronous invocations.
fn on_failure(node: &Node) -> Result<Option<String>, TemplateError> {
    let destination = node.at(&["DestinationConfig", "OnFailure", "Destination"]);
    destination.map(|destination| destination.as_text().map(str::to_owned)).transpose()
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
