//! The permissions of a function's role, from its policies.
//!
//! Only roles that are written in the template are read, not those that SAM would generate.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html>

use super::document::Node;
use super::events::{texts, unsupported};
use super::{Reader, TemplateError};

/// One statement of a policy, with every intrinsic function resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// `Allow`; otherwise it denies.
    pub allows: bool,
    /// Such as `dynamodb:GetItem`, with wildcards.
    pub actions: Vec<String>,
    /// ARNs, with wildcards.
    pub resources: Vec<String>,
    /// `StringEquals`: the required context of a request, each key with its accepted values.
    pub conditions: Vec<(String, Vec<String>)>,
}

/// Elements that change the meaning of a statement. All others only name it.
const UNREAD: [&str; 4] = ["NotAction", "NotPrincipal", "NotResource", "Principal"];

impl Reader<'_> {
    /// The statements of the function's role; `None` if it names no role.
    pub(super) fn role(&self, function: &Node) -> Result<Option<Vec<Statement>>, TemplateError> {
        let Some(role) = self.property(function, "Function", "Role")? else { return Ok(None) };
        for (logical_id, resource) in self.resources("AWS::IAM::Role")? {
            if self.resolver.attribute(logical_id, "Arn", &resource.place)? == role.as_text()? {
                let mut statements = self.statements(resource)?;
                statements.extend(self.attached(&self.reference(logical_id, &resource.place)?)?);
                return Ok(Some(statements));
            }
        }
        Err(TemplateError::UnknownName { place: role.place.clone(), name: role.as_text()?.to_owned() })
    }

    /// Policies may be separate from their role.
    fn attached(&self, role: &str) -> Result<Vec<Statement>, TemplateError> {
        for kind in ["AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"] {
            if let Some((_, resource)) = self.resources(kind)?.first() {
                return Err(unsupported(&resource.place, kind));
            }
        }
        let mut statements = Vec::new();
        for (_, resource) in self.resources("AWS::IAM::Policy")? {
            let properties = resource.require("Properties")?;
            let roles = self.resolver.resolve(properties.require("Roles")?)?;
            if roles.items()?.iter().any(|named| named.as_text().is_ok_and(|named| named == role)) {
                let document = self.resolver.resolve(properties.require("PolicyDocument")?)?;
                statements.extend(read(&document)?);
            }
        }
        Ok(statements)
    }

    fn statements(&self, role: &Node) -> Result<Vec<Statement>, TemplateError> {
        let properties = role.require("Properties")?;
        for name in ["ManagedPolicyArns", "PermissionsBoundary"] {
            if let Some(property) = properties.get(name) {
                return Err(unsupported(&property.place, name));
            }
        }
        let Some(policies) = properties.get("Policies") else { return Ok(Vec::new()) };
        let mut statements = Vec::new();
        for policy in self.resolver.resolve(policies)?.items()? {
            statements.extend(read(policy.require("PolicyDocument")?)?);
        }
        Ok(statements)
    }
}

fn read(document: &Node) -> Result<Vec<Statement>, TemplateError> {
    one_or_more(document.require("Statement")?).iter().map(statement).collect()
}

fn statement(node: &Node) -> Result<Statement, TemplateError> {
    if let Some(unread) = UNREAD.iter().find_map(|name| node.get(name)) {
        return Err(unsupported(&unread.place, "this policy element"));
    }
    let effect = node.require("Effect")?;
    let allows = match effect.as_text()? {
        "Allow" => true,
        "Deny" => false,
        _ => return Err(TemplateError::invalid(&effect.place, "expected Allow or Deny")),
    };
    Ok(Statement {
        allows,
        actions: listed(node.require("Action")?)?,
        resources: listed(node.require("Resource")?)?,
        conditions: node.get("Condition").map_or(Ok(Vec::new()), conditions)?,
    })
}

fn conditions(node: &Node) -> Result<Vec<(String, Vec<String>)>, TemplateError> {
    let mut conditions = Vec::new();
    for (operator, keys) in node.entries()? {
        if operator != "StringEquals" {
            return Err(unsupported(&keys.place, operator));
        }
        for (key, values) in keys.entries()? {
            conditions.push((key.clone(), listed(values)?));
        }
    }
    Ok(conditions)
}

fn listed(node: &Node) -> Result<Vec<String>, TemplateError> {
    if node.items().is_ok() { texts(node) } else { Ok(vec![node.as_text()?.to_owned()]) }
}

/// IAM accepts a single element instead of a list of one.
fn one_or_more(node: &Node) -> &[Node] {
    node.items().unwrap_or(std::slice::from_ref(node))
}
