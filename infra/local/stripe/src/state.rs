//! The whole state of the stand-in in one value. Its transitions are in the modules of the objects that they change.
//!
//! It does no IO and reads no clock: `now` is set before each transition.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::currencies;
use crate::error::ApiError;
use crate::ids::Ids;
use crate::objects::billing_portal::PortalSession;
use crate::objects::charge::Charge;
use crate::objects::checkout_session::CheckoutSession;
use crate::objects::credit_note::CreditNote;
use crate::objects::customer::Customer;
use crate::objects::customer_balance::CustomerBalanceTransaction;
use crate::objects::dispute::Dispute;
use crate::objects::invoice::Invoice;
use crate::objects::invoice_item::InvoiceItem;
use crate::objects::invoice_payment::InvoicePayment;
use crate::objects::payment_intent::PaymentIntent;
use crate::objects::payment_method::PaymentMethod;
use crate::objects::price::Price;
use crate::objects::product::Product;
use crate::objects::refund::Refund;
use crate::objects::setup_intent::SetupIntent;
use crate::objects::tax_id::TaxId;
use crate::objects::webhook_endpoint::WebhookEndpoint;
use crate::objects::{checkout_session, event::Event, invoice, payment_intent};
use crate::parameters::Page;
use crate::webhooks::Deliveries;

/// The API version that is simulated: <https://docs.stripe.com/changelog>.
pub(crate) const API_VERSION: &str = "2026-09-30.endive";

/// Versions with the same name differ only by additions, none of which is simulated:
/// <https://docs.stripe.com/api/versioning>.
pub(crate) const SIMULATED_VERSIONS: [&str; 2] = [API_VERSION, "2026-10-28.endive"];

pub(crate) trait Resource {
    /// The object's name in messages and in `object`.
    const NAME: &'static str;
    fn render(&self, state: &State) -> Value;
}

/// Objects of one kind by id; ids sort by creation.
pub(crate) struct Table<T>(BTreeMap<String, T>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Resource> Table<T> {
    pub(crate) fn insert(&mut self, id: &str, object: T) {
        self.0.insert(id.to_owned(), object);
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<T> {
        self.0.remove(id)
    }

    pub(crate) fn find(&self, id: &str) -> Option<&T> {
        self.0.get(id)
    }

    /// The object that the path names.
    pub(crate) fn get(&self, id: &str) -> Result<&T, ApiError> {
        self.find(id).ok_or_else(|| ApiError::no_such(T::NAME, id, None))
    }

    /// The object that a parameter names.
    pub(crate) fn get_for(&self, id: &str, param: &str) -> Result<&T, ApiError> {
        self.find(id).ok_or_else(|| ApiError::no_such(T::NAME, id, Some(param)))
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Result<&mut T, ApiError> {
        self.0.get_mut(id).ok_or_else(|| ApiError::no_such(T::NAME, id, None))
    }

    /// Oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &T)> {
        self.0.iter().map(|(id, object)| (id.as_str(), object))
    }
}

/// The settings of the account.
pub(crate) struct AccountSettings {
    pub(crate) base_url: String,
    /// Basis points of tax that are added where automatic tax is on.
    pub(crate) tax_basis_points: u32,
}

pub(crate) struct State {
    pub(crate) now: Timestamp,
    pub(crate) ids: Ids,
    pub(crate) settings: AccountSettings,
    pub(crate) customers: Table<Customer>,
    pub(crate) tax_ids: Table<TaxId>,
    /// What bank transfers brought and no invoice took, by customer and currency.
    pub(crate) cash_balances: BTreeMap<(String, String), i64>,
    pub(crate) customer_balance_transactions: Table<CustomerBalanceTransaction>,
    pub(crate) payment_methods: Table<PaymentMethod>,
    pub(crate) payment_intents: Table<PaymentIntent>,
    /// The time in seconds and the intent of each bank answer that is still to come.
    pub(crate) debits_underway: BTreeSet<(i64, String)>,
    pub(crate) setup_intents: Table<SetupIntent>,
    pub(crate) charges: Table<Charge>,
    pub(crate) refunds: Table<Refund>,
    pub(crate) disputes: Table<Dispute>,
    pub(crate) invoices: Table<Invoice>,
    pub(crate) invoice_items: Table<InvoiceItem>,
    pub(crate) invoice_payments: Table<InvoicePayment>,
    pub(crate) credit_notes: Table<CreditNote>,
    pub(crate) products: Table<Product>,
    pub(crate) prices: Table<Price>,
    pub(crate) checkout_sessions: Table<CheckoutSession>,
    pub(crate) portal_sessions: Table<PortalSession>,
    pub(crate) events: Table<Event>,
    pub(crate) webhook_endpoints: Table<WebhookEndpoint>,
    pub(crate) deliveries: Deliveries,
}

impl State {
    pub(crate) fn new(settings: AccountSettings, seed: u64, now: Timestamp) -> Self {
        Self {
            now,
            ids: Ids::new(seed),
            settings,
            customers: Table::default(),
            tax_ids: Table::default(),
            cash_balances: BTreeMap::new(),
            customer_balance_transactions: Table::default(),
            payment_methods: Table::default(),
            payment_intents: Table::default(),
            debits_underway: BTreeSet::new(),
            setup_intents: Table::default(),
            charges: Table::default(),
            refunds: Table::default(),
            disputes: Table::default(),
            invoices: Table::default(),
            invoice_items: Table::default(),
            invoice_payments: Table::default(),
            credit_notes: Table::default(),
            products: Table::default(),
            prices: Table::default(),
            checkout_sessions: Table::default(),
            portal_sessions: Table::default(),
            events: Table::default(),
            webhook_endpoints: Table::default(),
            deliveries: Deliveries::default(),
        }
    }

    /// Sets the time and does everything that has become due.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = now;
        payment_intent::settle_due(self);
        checkout_session::expire_due(self);
        invoice::advance_due(self);
    }

    /// Seconds since 1970, the unit of every timestamp in the API.
    pub(crate) fn now_seconds(&self) -> i64 {
        self.now.as_second()
    }

    pub(crate) fn seconds_after(&self, duration: SignedDuration) -> i64 {
        self.now_seconds().saturating_add(duration.as_secs())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.base_url)
    }

    /// The tax on `amount`, both in the currency's `amount` units.
    pub(crate) fn tax_on(&self, amount: i64, currency: &str) -> i64 {
        currencies::share_of(amount, self.settings.tax_basis_points, currency)
    }

    /// Any object in the API's format, by its id.
    pub(crate) fn object(&self, id: &str) -> Option<Value> {
        let prefix = &id[..id.find('_')?];
        match prefix {
            "cus" => self.rendered(&self.customers, id),
            "txi" => self.rendered(&self.tax_ids, id),
            "pm" => self.rendered(&self.payment_methods, id),
            "pi" => self.rendered(&self.payment_intents, id),
            "seti" => self.rendered(&self.setup_intents, id),
            "ch" => self.rendered(&self.charges, id),
            "re" => self.rendered(&self.refunds, id),
            "du" => self.rendered(&self.disputes, id),
            "in" => self.rendered(&self.invoices, id),
            "ii" => self.rendered(&self.invoice_items, id),
            "inpay" => self.rendered(&self.invoice_payments, id),
            "cbtxn" => self.rendered(&self.customer_balance_transactions, id),
            "cn" => self.rendered(&self.credit_notes, id),
            "price" => self.rendered(&self.prices, id),
            "prod" => self.rendered(&self.products, id),
            "cs" => self.rendered(&self.checkout_sessions, id),
            "bps" => self.rendered(&self.portal_sessions, id),
            "evt" => self.rendered(&self.events, id),
            "we" => self.rendered(&self.webhook_endpoints, id),
            _ => None,
        }
    }

    fn rendered<T: Resource>(&self, table: &Table<T>, id: &str) -> Option<Value> {
        table.find(id).map(|object| object.render(self))
    }

    /// [`Self::object`] for an object that exists.
    pub(crate) fn render(&self, id: &str) -> Value {
        self.object(id).unwrap_or(Value::Null)
    }

    pub(crate) fn emit(&mut self, kind: &str, object_id: &str) {
        let object = self.render(object_id);
        self.emit_object(kind, object, None);
    }

    /// With `previous_attributes`: the values in `before` that have changed.
    pub(crate) fn emit_update(&mut self, kind: &str, object_id: &str, before: &Value) {
        let after = self.render(object_id);
        let mut previous = Map::new();
        for (name, value) in before.as_object().into_iter().flatten() {
            if after.get(name) != Some(value) {
                previous.insert(name.clone(), value.clone());
            }
        }
        self.emit_object(kind, after, Some(Value::Object(previous)));
    }

    pub(crate) fn emit_object(&mut self, kind: &str, object: Value, previous: Option<Value>) {
        let id = self.ids.next("evt_");
        let mut data = json!({ "object": object });
        if let Some(previous) = previous {
            data["previous_attributes"] = previous;
        }
        let event = Event { id: id.clone(), created: self.now_seconds(), kind: kind.to_owned(), data };
        let endpoints: Vec<String> = self
            .webhook_endpoints
            .iter()
            .filter(|(_, endpoint)| endpoint.wants(kind))
            .map(|(endpoint_id, _)| endpoint_id.to_owned())
            .collect();
        self.events.insert(&id, event);
        self.deliveries.enqueue(&id, endpoints, self.now);
    }

    /// One page of `table`, newest first: <https://docs.stripe.com/api/pagination>.
    pub(crate) fn list<T: Resource>(
        &self,
        table: &Table<T>,
        page: &Page,
        url: &str,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Result<Value, ApiError> {
        for (cursor, param) in [(&page.starting_after, "starting_after"), (&page.ending_before, "ending_before")] {
            if let Some(cursor) = cursor {
                table.get_for(cursor, param)?;
            }
        }
        let limit = page.limit.unwrap_or(10);
        let wanted = table.iter().rev().filter(|(_, object)| is_wanted(object));
        let (objects, has_more) = if let Some(before) = &page.ending_before {
            let newer: Vec<_> = wanted.take_while(|(id, _)| *id > before.as_str()).collect();
            let skipped = newer.len().saturating_sub(limit);
            (newer[skipped..].to_vec(), skipped > 0)
        } else {
            let older = |id: &str| page.starting_after.as_deref().is_none_or(|after| id < after);
            let mut objects: Vec<_> = wanted.filter(|(id, _)| older(id)).take(limit + 1).collect();
            let has_more = objects.len() > limit;
            objects.truncate(limit);
            (objects, has_more)
        };
        let data: Vec<Value> = objects.iter().map(|(_, object)| object.render(self)).collect();
        Ok(list_of(data, has_more, url))
    }
}

pub(crate) fn list_of(data: Vec<Value>, has_more: bool, url: &str) -> Value {
    json!({ "object": "list", "url": url, "has_more": has_more, "data": data })
}
