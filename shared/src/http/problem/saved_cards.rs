//! The problems for cards that cannot be listed, saved, chosen or removed.

use super::Problem;
use crate::use_cases::payments::SavedCardsError;

impl From<SavedCardsError> for Problem {
    fn from(error: SavedCardsError) -> Self {
        match error {
            SavedCardsError::NotFound(error) => error.into(),
            SavedCardsError::Closed(closed) => closed.into(),
            SavedCardsError::CustomerDeleted => Self::customer_deleted(),
            SavedCardsError::NotSaved(_) => Self::card_not_saved(),
            SavedCardsError::Outside(error) => error.into(),
        }
    }
}
