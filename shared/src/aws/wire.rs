//! A fake AWS service for tests. It returns one response, or none, and records the requests.

use super::AwsEnvironment;
use crate::config::Environment;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

pub type Answer = fn() -> Result<HttpResponse, ConnectorError>;

#[derive(Clone, Debug)]
pub struct Wire {
    answer: Answer,
    /// The method and URL of each request, with its body.
    pub sent: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Wire {
    pub fn new(answer: Answer) -> Self {
        Self { answer, sent: Arc::default() }
    }

    /// A function's environment in which this service answers every client.
    pub fn environment(&self) -> AwsEnvironment {
        let variables =
            ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name.to_owned(), "local".to_owned()));
        let region = ("AWS_REGION".to_owned(), "eu-central-1".to_owned());
        let environment = Environment::of(variables.into_iter().chain([region]).collect());
        let connector = SharedHttpConnector::new(self.clone());
        AwsEnvironment::of(&environment).expect("all variables are set").with_connector(connector)
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.push((format!("{} {}", request.method(), request.uri()), body));
        HttpConnectorFuture::ready((self.answer)())
    }
}
