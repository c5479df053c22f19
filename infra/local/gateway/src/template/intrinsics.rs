//! Evaluates CloudFormation's intrinsic functions.
//!
//! Only what the local runtime reads is evaluated, so a policy may name attributes that are unknown here.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html>

use std::collections::BTreeMap;

use super::document::{Content, Node, Place};
use super::{Deployment, TemplateError};

/// The type of a parameter whose value is a list of strings.
const LIST: &str = "CommaDelimitedList";

pub(super) struct Resolver<'a> {
    root: &'a Node,
    deployment: &'a Deployment,
}

impl<'a> Resolver<'a> {
    /// # Errors
    /// If a parameter is given that the template does not declare, which CloudFormation refuses.
    pub fn new(root: &'a Node, deployment: &'a Deployment) -> Result<Self, TemplateError> {
        for name in deployment.parameters.keys() {
            if root.at(&["Parameters", name]).is_none() {
                return Err(TemplateError::UnknownParameter { name: name.clone() });
            }
        }
        Ok(Self { root, deployment })
    }

    /// A copy of `node` with every intrinsic function replaced by its value.
    ///
    /// # Errors
    /// If a name is unknown, or a function is not supported or used incorrectly.
    pub fn resolve(&self, node: &Node) -> Result<Node, TemplateError> {
        let content = match &node.content {
            Content::Scalar { .. } | Content::Absent => node.content.clone(),
            Content::List(items) => {
                let items = items.iter().map(|item| self.resolve(item)).collect::<Result<Vec<_>, _>>()?;
                Content::List(items.into_iter().filter(|item| !matches!(item.content, Content::Absent)).collect())
            }
            Content::Map(entries) => {
                let mut resolved = Vec::with_capacity(entries.len());
                for (name, value) in entries {
                    let value = self.resolve(value)?;
                    if !matches!(value.content, Content::Absent) {
                        resolved.push((name.clone(), value));
                    }
                }
                Content::Map(resolved)
            }
            Content::Call(function, argument) => self.call(function, argument, &node.place)?.content,
        };
        Ok(Node { place: node.place.clone(), content })
    }

    fn call(&self, function: &str, argument: &Node, place: &Place) -> Result<Node, TemplateError> {
        match function {
            "Ref" => self.reference(argument.as_text()?, place),
            "GetAtt" => {
                let argument = self.resolve(argument)?;
                let [name, attribute] = argument.items()? else {
                    return Err(TemplateError::invalid(place, "GetAtt needs Resource.Attribute"));
                };
                self.attribute(name.as_text()?, attribute.as_text()?, place).map(|text| Node::text(place, text))
            }
            "Sub" => self.substitute(argument).map(|text| Node::text(place, text)),
            "Join" => self.join(argument, place),
            "If" => {
                let [condition, then, otherwise] = argument.items()? else {
                    return Err(TemplateError::invalid(place, "If needs a condition and two values"));
                };
                self.resolve(if self.condition(condition.as_text()?, place)? { then } else { otherwise })
            }
            _ => {
                Err(TemplateError::Unsupported { place: place.clone(), what: format!("intrinsic function {function}") })
            }
        }
    }

    fn reference(&self, name: &str, place: &Place) -> Result<Node, TemplateError> {
        if name == "AWS::NoValue" {
            return Ok(Node { place: place.clone(), content: Content::Absent });
        }
        if self.root.at(&["Parameters", name, "Type"]).is_some_and(|kind| kind.as_text().is_ok_and(|kind| kind == LIST))
        {
            let items = self.parameter(name, place)?;
            let items = items.split(',').map(|item| Node::text(place, item.trim().to_owned())).collect();
            return Ok(Node { place: place.clone(), content: Content::List(items) });
        }
        let text = match name {
            "AWS::Region" => self.deployment.region.clone(),
            "AWS::AccountId" => self.deployment.account_id.clone(),
            "AWS::StackName" => self.deployment.stack_name.clone(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            _ if self.root.at(&["Parameters", name]).is_some() => self.parameter(name, place)?,
            _ => self.physical_name(name, place)?,
        };
        Ok(Node::text(place, text))
    }

    fn parameter(&self, name: &str, place: &Place) -> Result<String, TemplateError> {
        if let Some(value) = self.deployment.parameters.get(name) {
            return Ok(value.clone());
        }
        match self.root.at(&["Parameters", name, "Default"]) {
            Some(default) => default.as_text().map(str::to_owned),
            None => Err(TemplateError::NoParameterValue { place: place.clone(), name: name.to_owned() }),
        }
    }

    /// The result of `Ref` for a resource: the given one, the name property, or the stack's name and the logical id.
    fn physical_name(&self, logical_id: &str, place: &Place) -> Result<String, TemplateError> {
        if let Some(given) = self.deployment.references.get(logical_id) {
            return Ok(given.clone());
        }
        let resource = self.resource(logical_id, place)?;
        let kind = resource.require("Type")?.as_text()?;
        let named = resource.get("Properties").and_then(|properties| {
            ["FunctionName", "TableName", "QueueName", "TopicName", "LogGroupName", "RoleName", "Name"]
                .iter()
                .find_map(|name| properties.get(name))
        });
        match (kind, named) {
            ("AWS::Serverless::HttpApi", _) => Ok("local".to_owned()),
            ("AWS::SQS::Queue", name) => {
                let name = self.name_or_default(logical_id, name)?;
                let Deployment { region, account_id, .. } = self.deployment;
                Ok(format!("https://sqs.{region}.amazonaws.com/{account_id}/{name}"))
            }
            (_, name) => self.name_or_default(logical_id, name),
        }
    }

    fn name_or_default(&self, logical_id: &str, name: Option<&Node>) -> Result<String, TemplateError> {
        match name {
            Some(name) => self.resolve(name)?.as_text().map(str::to_owned),
            None => Ok(format!("{}-{logical_id}", self.deployment.stack_name)),
        }
    }

    fn resource(&self, logical_id: &str, place: &Place) -> Result<&'a Node, TemplateError> {
        self.root
            .at(&["Resources", logical_id])
            .ok_or_else(|| TemplateError::UnknownName { place: place.clone(), name: logical_id.to_owned() })
    }

    pub fn attribute(&self, logical_id: &str, attribute: &str, place: &Place) -> Result<String, TemplateError> {
        if let Some(given) = self.deployment.attributes.get(&(logical_id.to_owned(), attribute.to_owned())) {
            return Ok(given.clone());
        }
        let resource = self.resource(logical_id, place)?;
        let Deployment { region, account_id, .. } = self.deployment;
        let name = || self.physical_name(logical_id, place);
        match (resource.require("Type")?.as_text()?, attribute) {
            ("AWS::Serverless::Function", "Arn") => {
                Ok(format!("arn:aws:lambda:{region}:{account_id}:function:{}", name()?))
            }
            ("AWS::DynamoDB::Table", "Arn") => Ok(format!("arn:aws:dynamodb:{region}:{account_id}:table/{}", name()?)),
            // The label of a real stream is the time when it was created.
            ("AWS::DynamoDB::Table", "StreamArn") => {
                Ok(format!("arn:aws:dynamodb:{region}:{account_id}:table/{}/stream/1970-01-01T00:00:00.000", name()?))
            }
            ("AWS::SQS::Queue", "Arn") => {
                let queue = resource.at(&["Properties", "QueueName"]);
                Ok(format!("arn:aws:sqs:{region}:{account_id}:{}", self.name_or_default(logical_id, queue)?))
            }
            ("AWS::Events::EventBus", "Arn") => {
                Ok(format!("arn:aws:events:{region}:{account_id}:event-bus/{}", name()?))
            }
            // As in CloudFormation, including the group's streams.
            ("AWS::Logs::LogGroup", "Arn") => Ok(format!("arn:aws:logs:{region}:{account_id}:log-group:{}:*", name()?)),
            ("AWS::IAM::Role", "Arn") => Ok(format!("arn:aws:iam::{account_id}:role/{}", name()?)),
            _ => Err(TemplateError::UnknownName { place: place.clone(), name: format!("{logical_id}.{attribute}") }),
        }
    }

    /// `${Name}`, `${Name.Attribute}`, names of the call's own map, and `${!literal}`.
    fn substitute(&self, argument: &Node) -> Result<String, TemplateError> {
        let (template, own) = match &argument.content {
            Content::List(parts) => match parts.as_slice() {
                [template, variables] => (template, self.own_variables(variables)?),
                _ => return Err(TemplateError::invalid(&argument.place, "Sub needs a string, or a string and a map")),
            },
            _ => (argument, BTreeMap::new()),
        };
        let place = &template.place;
        let mut rest = template.as_text()?;
        let mut out = String::with_capacity(rest.len());
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let end = rest[start..].find('}').ok_or_else(|| TemplateError::invalid(place, "${ without }"))? + start;
            let name = rest[start + 2..end].trim();
            rest = &rest[end + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str(&format!("${{{literal}}}"));
            } else if let Some(value) = own.get(name) {
                out.push_str(value);
            } else if let Some((resource, attribute)) = name.split_once('.') {
                out.push_str(&self.attribute(resource, attribute, place)?);
            } else {
                out.push_str(self.reference(name, place)?.as_text()?);
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn own_variables(&self, variables: &Node) -> Result<BTreeMap<String, String>, TemplateError> {
        let variables = self.resolve(variables)?;
        variables.entries()?.iter().map(|(name, value)| Ok((name.clone(), value.as_text()?.to_owned()))).collect()
    }

    fn join(&self, argument: &Node, place: &Place) -> Result<Node, TemplateError> {
        let argument = self.resolve(argument)?;
        let [separator, parts] = argument.items()? else {
            return Err(TemplateError::invalid(place, "Join needs a separator and a list"));
        };
        let parts = parts.items()?.iter().map(Node::as_text).collect::<Result<Vec<_>, _>>()?;
        Ok(Node::text(place, parts.join(separator.as_text()?)))
    }

    /// Whether the named condition in the `Conditions` section is true.
    pub fn condition(&self, name: &str, place: &Place) -> Result<bool, TemplateError> {
        let condition = self
            .root
            .at(&["Conditions", name])
            .ok_or_else(|| TemplateError::UnknownName { place: place.clone(), name: name.to_owned() })?;
        self.holds(condition)
    }

    fn holds(&self, node: &Node) -> Result<bool, TemplateError> {
        if let Some(name) = node.get("Condition") {
            return self.condition(name.as_text()?, &node.place);
        }
        let Content::Call(function, argument) = &node.content else {
            return Err(TemplateError::invalid(&node.place, "expected a condition"));
        };
        match function.as_str() {
            "Condition" => self.condition(argument.as_text()?, &node.place),
            "Equals" => {
                let argument = self.resolve(argument)?;
                let [left, right] = argument.items()? else {
                    return Err(TemplateError::invalid(&node.place, "Equals needs two values"));
                };
                Ok(left.as_text()? == right.as_text()?)
            }
            "Not" => argument.items()?.first().map_or(Ok(true), |inner| self.holds(inner).map(|holds| !holds)),
            "And" => argument.items()?.iter().try_fold(true, |all, inner| Ok(self.holds(inner)? && all)),
            "Or" => argument.items()?.iter().try_fold(false, |any, inner| Ok(self.holds(inner)? || any)),
            other => Err(TemplateError::Unsupported { place: node.place.clone(), what: format!("condition {other}") }),
        }
    }
}
