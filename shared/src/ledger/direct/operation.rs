//! One operation in the SDK's own words: how its input becomes a request, and its response an output or a typed error.
//!
//! Both come from the operation's public configuration. A test pins what they produce.

use aws_sdk_dynamodb::error::SdkError;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::Input;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_plugin::RuntimePlugin;
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse, SerializeRequest, SharedRequestSerializer, SharedResponseDeserializer,
};
use aws_smithy_types::config_bag::{ConfigBag, FrozenLayer};
use hyper::HeaderMap;
use hyper::body::Bytes;
use std::error::Error;
use std::fmt;

/// A request that only lacks the host and the signature. It is a POST to `/`, as all of DynamoDB's.
#[derive(Debug)]
pub struct Unsigned {
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The SDK's configuration of an operation.
#[derive(Debug)]
pub struct Operation(FrozenLayer);

impl Operation {
    pub fn of(plugin: &impl RuntimePlugin) -> Self {
        Self(plugin.config().expect("every operation has a configuration"))
    }

    fn serializer(&self) -> &SharedRequestSerializer {
        self.0.load::<SharedRequestSerializer>().expect("every operation has a serializer")
    }

    fn deserializer(&self) -> &SharedResponseDeserializer {
        self.0.load::<SharedResponseDeserializer>().expect("every operation has a deserializer")
    }

    /// # Errors
    /// If the input lacks a required field.
    pub fn request(&self, input: Input) -> Result<Unsigned, BoxError> {
        let request = self.serializer().serialize_input(input, &mut ConfigBag::base())?.try_into_http1x()?;
        let (parts, body) = request.into_parts();
        let body = body.bytes().map(Bytes::copy_from_slice).ok_or("the body is not in memory")?;
        Ok(Unsigned { headers: parts.headers, body })
    }

    /// # Errors
    /// The service's typed error, or that its response cannot be read.
    #[expect(clippy::result_large_err, reason = "it is the SDK's error, which every request returns")]
    pub fn outcome<O, E>(&self, response: HttpResponse) -> Result<O, SdkError<E>>
    where
        O: fmt::Debug + Send + Sync + 'static,
        E: Error + Send + Sync + 'static,
    {
        let error = match self.deserializer().deserialize_nonstreaming_with_config(&response, &ConfigBag::base()) {
            Ok(output) => return output.downcast().map_err(|_| SdkError::response_error(AnotherType, response)),
            Err(error) if !error.is_operation_error() => return Err(SdkError::response_error(error, response)),
            Err(error) => error,
        };
        // The error can be taken out of its wrapper only by mapping it.
        let mut refusal = None;
        let _ = error.map_operation_error(|error| refusal = error.downcast::<E>().ok());
        Err(match refusal {
            Some(refusal) => SdkError::service_error(refusal, response),
            None => SdkError::response_error(AnotherType, response),
        })
    }
}

/// The deserializer of one operation made the output or the error of another.
#[derive(Debug, thiserror::Error)]
#[error("the response was read as that of another operation")]
struct AnotherType;
