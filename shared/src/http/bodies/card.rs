//! A card as its owner knows it, as JSON.

use crate::domain::PaymentMethodId;
use crate::domain::payments::{AskedCard, CardFace};
use serde::Serialize;

#[derive(Serialize)]
pub struct CardBody<'a> {
    brand: Option<&'a str>,
    last4: Option<&'a str>,
}

impl<'a> CardBody<'a> {
    pub fn of(face: &'a CardFace) -> Self {
        Self { brand: face.brand.as_deref(), last4: face.last4.as_deref() }
    }

    /// `None` if nothing is known of this card.
    pub fn of_asked(asked: &'a AskedCard, card: Option<&PaymentMethodId>) -> Option<Self> {
        asked.face_of(card).map(Self::of)
    }
}
