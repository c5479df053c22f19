//! One module per object of the API: its fields, its JSON, and its operations.

pub(crate) mod bank_transfer;
pub(crate) mod billing_portal;
pub(crate) mod charge;
pub(crate) mod checkout_operations;
pub(crate) mod checkout_session;
pub(crate) mod credit_note;
pub(crate) mod credit_note_operations;
pub(crate) mod customer;
pub(crate) mod customer_balance;
pub(crate) mod discount;
pub(crate) mod dispute;
pub(crate) mod event;
pub(crate) mod invoice;
pub(crate) mod invoice_item;
pub(crate) mod invoice_operations;
pub(crate) mod invoice_payment;
pub(crate) mod payment_intent;
pub(crate) mod payment_intent_operations;
pub(crate) mod payment_method;
pub(crate) mod payment_page;
pub(crate) mod price;
pub(crate) mod product;
pub(crate) mod refund;
pub(crate) mod setup_intent;
pub(crate) mod tax_id;
pub(crate) mod webhook_endpoint;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::fmt;

use crate::error::ApiError;

/// The address of a person or a company.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    pub(crate) city: Option<String>,
    /// Two letters.
    pub(crate) country: Option<String>,
    pub(crate) line1: Option<String>,
    pub(crate) line2: Option<String>,
    pub(crate) postal_code: Option<String>,
    pub(crate) state: Option<String>,
}

impl Address {
    pub(crate) fn in_country(country: &str) -> Self {
        Self { country: Some(country.to_owned()), ..Self::default() }
    }

    /// An empty field unsets it. `None` if all of them are.
    pub(crate) fn given(mut self) -> Option<Self> {
        let Self { city, country, line1, line2, postal_code, state } = &mut self;
        let mut is_given = false;
        for field in [city, country, line1, line2, postal_code, state] {
            field.take_if(|text| text.is_empty());
            is_given |= field.is_some();
        }
        is_given.then_some(self)
    }

    /// On one line.
    pub(crate) fn line(&self) -> String {
        let Self { city, country, line1, line2, postal_code, state } = self;
        let parts = [line1, line2, postal_code, city, state, country];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// Whether the rate of tax can be told: <https://docs.stripe.com/tax/customer-locations#address-hierarchy>.
    pub(crate) fn is_tax_location(&self) -> bool {
        let country = self.country.as_deref().unwrap_or_default();
        let is_code = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
        match country {
            "US" => self
                .postal_code
                .as_deref()
                .is_some_and(|code| code.len() >= 5 && code.bytes().take(5).all(|byte| byte.is_ascii_digit())),
            "CA" => self.postal_code.is_some() || self.state.is_some(),
            _ => is_code,
        }
    }

    pub(crate) fn render(&self) -> Value {
        json!({
            "city": self.city,
            "country": self.country,
            "line1": self.line1,
            "line2": self.line2,
            "postal_code": self.postal_code,
            "state": self.state,
        })
    }
}

/// A text that an invoice shows beside its number.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CustomField {
    name: String,
    value: String,
}

impl CustomField {
    const COUNT_MAX: usize = 4;
    const NAME_MAX: usize = 40;
    const VALUE_MAX: usize = 140;

    pub(crate) fn line(&self) -> String {
        format!("{}: {}", self.name, self.value)
    }

    pub(crate) fn render(fields: &[Self]) -> Value {
        if fields.is_empty() {
            return Value::Null;
        }
        fields.iter().map(|field| json!({ "name": field.name, "value": field.value })).collect()
    }
}

/// `custom_fields`: the whole list, or an empty text for none. An empty list sends nothing and changes nothing.
/// <https://docs.stripe.com/api/customers/update#update_customer-invoice_settings-custom_fields>
#[derive(Debug, Default)]
pub(crate) struct CustomFields(Vec<CustomField>);

impl CustomFields {
    /// # Errors
    /// For more than four, and for a name or a value that is empty or too long.
    pub(crate) fn checked(self, param: &str) -> Result<Vec<CustomField>, ApiError> {
        let invalid =
            |param: String, message: String| Err(ApiError::invalid_parameter("parameter_invalid", param, message));
        if self.0.len() > CustomField::COUNT_MAX {
            return invalid(param.to_owned(), format!("There may be at most {}.", CustomField::COUNT_MAX));
        }
        for (position, field) in self.0.iter().enumerate() {
            for (name, text, characters_max) in
                [("name", &field.name, CustomField::NAME_MAX), ("value", &field.value, CustomField::VALUE_MAX)]
            {
                if !(1..=characters_max).contains(&text.chars().count()) {
                    return invalid(
                        format!("{param}[{position}][{name}]"),
                        format!("1 to {characters_max} characters."),
                    );
                }
            }
        }
        Ok(self.0)
    }
}

impl<'de> Deserialize<'de> for CustomFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = CustomFields;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of hashes with a name and a value")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<CustomFields, E> {
                if text.is_empty() { Ok(CustomFields::default()) } else { Err(E::custom("must be a list")) }
            }

            fn visit_unit<E: Error>(self) -> Result<CustomFields, E> {
                Ok(CustomFields::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<CustomFields, A::Error> {
                let mut fields = vec![];
                while let Some(field) = list.next_element()? {
                    fields.push(field);
                }
                Ok(CustomFields(fields))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CustomFields, A::Error> {
                let mut fields = vec![];
                while let Some((_, field)) = map.next_entry::<String, CustomField>()? {
                    fields.push(field);
                }
                Ok(CustomFields(fields))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// `automatic_tax[enabled]`, the only simulated part of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AutomaticTax {
    pub(crate) enabled: bool,
}

/// Tax can only be calculated if the payer's location is known: <https://docs.stripe.com/tax/customer-locations>.
pub(crate) fn render_automatic_tax(is_enabled: bool, is_located: bool) -> Value {
    let status = if is_located { "complete" } else { "requires_location_inputs" };
    json!({
        "enabled": is_enabled,
        "liability": is_enabled.then(|| json!({ "type": "self" })),
        "provider": is_enabled.then_some("stripe"),
        "status": is_enabled.then_some(status),
    })
}
