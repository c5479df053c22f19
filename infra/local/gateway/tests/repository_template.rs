//! The deployed template can run locally, with all of its functions and routes.

use std::collections::{BTreeMap, BTreeSet};

use local_gateway::{Deployment, Template};

const TEMPLATE: &str = include_str!("../../../../template.yaml");

#[test]
fn the_repositorys_template_can_be_run_locally() {
    let parameters = parameter_names().into_iter().map(|name| (name, "given".to_owned())).collect();
    let template = Template::parse(TEMPLATE, &Deployment { parameters, ..Deployment::default() }).unwrap();

    let named = |text: &str| TEMPLATE.lines().filter(|line| line.trim() == text).count();
    assert_eq!(template.functions.len(), named("Type: AWS::Serverless::Function"));
    assert_eq!(template.tables.len(), named("Type: AWS::DynamoDB::Table"));
    assert_eq!(template.routes.len(), named("Type: HttpApi"));
    assert_eq!(template.schedules.len(), named("Type: ScheduleV2"));
    assert_eq!(template.streams.len(), named("Type: DynamoDB"));
    assert!(!template.functions.is_empty() && !template.routes.is_empty());
}

#[test]
fn every_protected_route_asks_for_a_scope() {
    let parameters: BTreeMap<_, _> = parameter_names().into_iter().map(|name| (name, String::new())).collect();
    let template = Template::parse(TEMPLATE, &Deployment { parameters, ..Deployment::default() }).unwrap();
    for route in &template.routes {
        assert_eq!(route.authorizer.is_some(), !route.scopes.is_empty(), "{}", route.key());
    }
}

/// The names between `Parameters:` and the next section.
fn parameter_names() -> BTreeSet<String> {
    let section = TEMPLATE.lines().skip_while(|line| *line != "Parameters:").skip(1);
    let section = section.take_while(|line| line.is_empty() || line.starts_with([' ', '#']));
    let names = section.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    names.filter(|name| !name.starts_with(' ')).map(str::to_owned).collect()
}
