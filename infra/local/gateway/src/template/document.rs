//! A template as a tree of nodes that know their position.
//!
//! YAML tags (`!Ref x`) and the long form (`Ref: x`, `Fn::Sub: …`) become one [`Content::Call`].
//! Nothing is evaluated here; see [`super::intrinsics`].

use std::fmt;

use saphyr::{MarkedYaml, ScalarStyle, YamlData, YamlLoader};
use serde_json::{Map, Number, Value};

use super::TemplateError;

/// The position of a value: its path from the root and its line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    path: String,
    line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (line {})", if self.path.is_empty() { "the template" } else { &self.path }, self.line)
    }
}

impl Place {
    fn child(&self, name: &str, line: usize) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        Self { path, line }
    }
}

/// One value of the template.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub place: Place,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// `text` is unchanged, because an environment variable is the text as written.
    Scalar {
        text: String,
        value: Value,
    },
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// An intrinsic function by its short name, such as `Ref` or `Sub`, and its argument.
    Call(String, Box<Node>),
    /// `AWS::NoValue`: the property counts as not written.
    Absent,
}

/// Parses one YAML document.
///
/// # Errors
/// If it is not YAML, repeats a key, or is not one document.
pub(super) fn parse(yaml: &str) -> Result<Node, TemplateError> {
    let mut loader = YamlLoader::<MarkedYaml<'_>>::default();
    // Raw scalars keep their tags and their spelling.
    loader.early_parse(false);
    saphyr_load(yaml, &mut loader)?;
    let mut documents = loader.into_documents();
    let document = documents.pop().ok_or(TemplateError::NotOneDocument)?;
    if !documents.is_empty() {
        return Err(TemplateError::NotOneDocument);
    }
    node(&document, Place { path: String::new(), line: 1 })
}

fn saphyr_load<'input>(
    yaml: &'input str,
    loader: &mut YamlLoader<'input, MarkedYaml<'input>>,
) -> Result<(), TemplateError> {
    let not_yaml = |error: &saphyr::ScanError| TemplateError::NotYaml {
        line: error.marker().line(),
        column: error.marker().col() + 1,
        reason: error.info().to_owned(),
    };
    saphyr_parser::Parser::new_from_str(yaml).load(loader, false).map_err(|error| not_yaml(&error))?;
    loader.error().map_or(Ok(()), |error| Err(not_yaml(error)))
}

fn node(yaml: &MarkedYaml<'_>, place: Place) -> Result<Node, TemplateError> {
    let content = match &yaml.data {
        YamlData::Representation(text, style, tag) => {
            let plain = scalar(text, *style == ScalarStyle::Plain);
            match tag {
                Some(tag) if !tag.is_yaml_core_schema() => {
                    call(&tag.suffix, Node { place: place.clone(), content: plain })
                }
                _ => plain,
            }
        }
        YamlData::Tagged(tag, inner) => call(&tag.suffix, node(inner, place.clone())?),
        YamlData::Sequence(items) => Content::List(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| node(item, place.child(&index.to_string(), item.span.start.line())))
                .collect::<Result<_, _>>()?,
        ),
        YamlData::Mapping(entries) => map(entries
            .iter()
            .map(|(key, value)| {
                let YamlData::Representation(name, ..) = &key.data else {
                    return Err(TemplateError::invalid(&place, "a key that is not a plain word"));
                };
                Ok((name.to_string(), node(value, place.child(name, key.span.start.line()))?))
            })
            .collect::<Result<_, _>>()?),
        YamlData::Value(_) | YamlData::Alias(_) | YamlData::BadValue => {
            return Err(TemplateError::invalid(&place, "a value that could not be read"));
        }
    };
    Ok(Node { place, content })
}

fn map(mut entries: Vec<(String, Node)>) -> Content {
    if let [(name, _)] = entries.as_slice()
        && let Some(function) = name.strip_prefix("Fn::").or_else(|| (name == "Ref").then_some("Ref"))
    {
        let function = function.to_owned();
        let (_, argument) = entries.remove(0);
        return call(&function, argument);
    }
    Content::Map(entries)
}

/// `!GetAtt Name.Attribute` is the short form of a list of two.
fn call(function: &str, argument: Node) -> Content {
    let argument = match &argument.content {
        Content::Scalar { text, .. } if function == "GetAtt" => {
            let part = |text: &str| Node { place: argument.place.clone(), content: scalar(text, false) };
            let parts =
                text.split_once('.').map_or_else(|| vec![part(text)], |(name, rest)| vec![part(name), part(rest)]);
            Node { place: argument.place.clone(), content: Content::List(parts) }
        }
        _ => argument,
    };
    Content::Call(function.to_owned(), Box::new(argument))
}

fn scalar(text: &str, plain: bool) -> Content {
    let value = match text {
        _ if !plain => Value::String(text.to_owned()),
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    };
    Content::Scalar { text: text.to_owned(), value }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|character: char| character.is_ascii_digit()) {
        return None;
    }
    text.parse::<i64>().map(Number::from).ok().or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64))
}

impl Node {
    pub fn text(place: &Place, text: String) -> Self {
        let value = Value::String(text.clone());
        Self { place: place.clone(), content: Content::Scalar { text, value } }
    }

    /// The value of `name`, if this is a map that has it.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The value at a path of names.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// # Errors
    /// If the value is missing.
    pub fn require(&self, name: &str) -> Result<&Node, TemplateError> {
        self.get(name).ok_or_else(|| TemplateError::Missing { place: self.place.clone(), name: name.to_owned() })
    }

    /// # Errors
    /// If this is not a map.
    pub fn entries(&self) -> Result<&[(String, Node)], TemplateError> {
        match &self.content {
            Content::Map(entries) => Ok(entries),
            _ => Err(TemplateError::invalid(&self.place, "expected a map")),
        }
    }

    /// # Errors
    /// If this is not a list.
    pub fn items(&self) -> Result<&[Node], TemplateError> {
        match &self.content {
            Content::List(items) => Ok(items),
            _ => Err(TemplateError::invalid(&self.place, "expected a list")),
        }
    }

    /// The text as written.
    ///
    /// # Errors
    /// If this is not a scalar.
    pub fn as_text(&self) -> Result<&str, TemplateError> {
        match &self.content {
            Content::Scalar { text, .. } => Ok(text),
            _ => Err(TemplateError::invalid(&self.place, "expected a string")),
        }
    }

    /// # Errors
    /// If this is not an integer in range.
    pub fn as_number<T: TryFrom<i64>>(&self) -> Result<T, TemplateError> {
        self.as_text()?
            .parse::<i64>()
            .ok()
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| TemplateError::invalid(&self.place, "expected a whole number in range"))
    }

    /// # Errors
    /// If this is neither `true` nor `false`.
    pub fn as_bool(&self) -> Result<bool, TemplateError> {
        match self.as_text()? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(TemplateError::invalid(&self.place, "expected true or false")),
        }
    }

    /// # Errors
    /// If an intrinsic function was not resolved.
    pub fn to_json(&self) -> Result<Value, TemplateError> {
        Ok(match &self.content {
            Content::Scalar { value, .. } => value.clone(),
            Content::List(items) => Value::Array(items.iter().map(Self::to_json).collect::<Result<_, _>>()?),
            Content::Map(entries) => {
                Value::Object(entries.iter().map(|(name, node)| Ok((name.clone(), node.to_json()?))).collect::<Result<
                    Map<_, _>,
                    TemplateError,
                >>(
                )?)
            }
            Content::Absent => Value::Null,
            Content::Call(name, _) => {
                return Err(TemplateError::invalid(&self.place, format!("{name} was not resolved")));
            }
        })
    }
}
