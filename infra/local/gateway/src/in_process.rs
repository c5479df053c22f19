//! Runs functions in this process: the same services that `main` would pass to the Lambda runtime.
//!
//! Events pass through the runtime crates' own types, so a handler sees the same as when it is deployed.

use std::sync::Arc;

use futures::future::BoxFuture;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, IntoResponse, Request};
use lambda_runtime::{Context, Diagnostic, LambdaEvent, Service};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::function::{Function, FunctionError, Invocation};

/// A function from the service that would be passed to `lambda_http::run`.
pub fn http<S, R, E>(service: S) -> Arc<dyn Function>
where
    S: Service<Request, Response = R, Error = E> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    R: IntoResponse + Send + Sync + 'static,
    E: Into<Diagnostic> + Send + 'static,
{
    // Built per call, because the adapter itself is not Sync.
    let call = move |mut event: LambdaEvent<LambdaRequest>| {
        // Functions encode what `lambda_http` would take for the beginning of a query.
        if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
            request.raw_path = request.raw_path.take().map(|path| path.replace('?', "%3F"));
        }
        let mut adapter = Adapter::from(service.clone());
        Box::pin(async move {
            std::future::poll_fn(|context| adapter.poll_ready(context)).await?;
            adapter.call(event).await
        }) as BoxFuture<'static, Result<_, E>>
    };
    Arc::new(InProcess { call, payload: std::marker::PhantomData })
}

/// A function from the service that would be passed to `lambda_runtime::run`.
pub fn event<S, T, R, E>(service: S) -> Arc<dyn Function>
where
    S: Service<LambdaEvent<T>, Response = R, Error = E> + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    T: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    E: Into<Diagnostic> + Send + 'static,
{
    let call = move |event: LambdaEvent<T>| {
        let mut service = service.clone();
        Box::pin(async move {
            std::future::poll_fn(|context| service.poll_ready(context)).await?;
            service.call(event).await
        }) as BoxFuture<'static, Result<R, E>>
    };
    Arc::new(InProcess { call, payload: std::marker::PhantomData })
}

struct InProcess<C, T> {
    call: C,
    payload: std::marker::PhantomData<fn(T)>,
}

impl<C, T, R, E> Function for InProcess<C, T>
where
    C: Fn(LambdaEvent<T>) -> BoxFuture<'static, Result<R, E>> + Send + Sync,
    T: DeserializeOwned + Send,
    R: Serialize + Send,
    E: Into<Diagnostic> + Send,
{
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Result<Value, FunctionError>> {
        Box::pin(async move {
            let context = context(&invocation);
            // lambda_http reads the raw JSON, which a Value cannot provide.
            let payload = serde_json::from_str(&invocation.payload.to_string())
                .map_err(|error| reported("Runtime.UnmarshalError", error.to_string()))?;
            let answer = (self.call)(LambdaEvent::new(payload, context)).await.map_err(|error| {
                let diagnostic: Diagnostic = error.into();
                reported(&diagnostic.error_type, diagnostic.error_message)
            })?;
            serde_json::to_value(answer).map_err(|error| reported("Runtime.MarshalError", error.to_string()))
        })
    }
}

fn context(invocation: &Invocation) -> Context {
    let mut context = Context::default();
    context.request_id.clone_from(&invocation.request_id);
    context.deadline = u64::try_from(invocation.deadline.as_millisecond()).unwrap_or_default();
    context.invoked_function_arn.clone_from(&invocation.function_arn);
    context.xray_trace_id = Some(invocation.trace_id.clone());
    context
}

fn reported(error_type: &str, error_message: String) -> FunctionError {
    FunctionError::Reported { error_type: error_type.to_owned(), error_message }
}
