//! Tax ids of customers: <https://docs.stripe.com/api/tax_ids>.
//!
//! The formats of the most common types are checked as the examples in <https://docs.stripe.com/billing/customer/tax-ids>
//! show them. Whether a number is registered is checked later, by the authority of its country.

use serde::Deserialize;
use serde_json::{Value, json};

use super::customer;
use crate::error::ApiError;
use crate::parameters::{NoParameters, Page, parse, parse_filters, required};
use crate::state::{Resource, State, list_of};

/// As many as a customer's object contains.
const INCLUDED_MAX: usize = 10;
const TYPES: &str = "ad_nrt ae_trn al_tin am_tin ao_tin ar_cuit au_abn au_arn aw_tin az_tin ba_tin bb_tin bd_bin bf_ifu \
    bg_uic bh_vat bj_ifu bo_tin br_cnpj br_cpf bs_tin by_tin ca_bn ca_gst_hst ca_pst_bc ca_pst_mb ca_pst_sk ca_qst cd_nif \
    ch_uid ch_vat cl_tin cm_niu cn_tin co_nit cr_tin cv_nif de_stn do_rcn ec_ruc eg_tin es_cif et_tin eu_oss_vat eu_vat \
    fo_vat gb_vat ge_vat gi_tin gn_nif hk_br hr_oib hu_tin ic_nif id_npwp il_vat in_gst is_vat it_cf jp_cn jp_rn jp_trn \
    ke_pin kg_tin kh_tin kr_brn kz_bin la_tin li_uid li_vat lk_vat ma_vat md_vat me_pib mk_vat mr_nif mx_rfc my_frp my_itn \
    my_sst ng_tin no_vat no_voec np_pan nz_gst om_vat pe_ruc ph_tin pl_nip py_ruc ro_tin rs_pib ru_inn ru_kpp sa_vat sg_gst \
    sg_uen si_tin sn_ninea sr_fin sv_nit th_vat tj_tin tr_tin tw_vat tz_vat ua_vat ug_tin us_ein uy_ruc uz_tin uz_vat ve_rif \
    vn_tin za_vat zm_tin zw_tin";

#[derive(Debug)]
pub(crate) struct TaxId {
    id: String,
    created: i64,
    customer: String,
    given: Given,
}

/// What a customer enters.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) kind: String,
    pub(crate) value: String,
}

impl Given {
    /// The country, if the type or the value names one.
    fn country(&self) -> Option<String> {
        let prefix = self.kind.split('_').next()?;
        let country = if prefix == "eu" { self.value.get(..2)? } else { prefix };
        Some(if country == "EL" { "GR".to_owned() } else { country.to_ascii_uppercase() })
    }

    /// # Errors
    /// For a type that does not exist, and for a value that cannot be of its type.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        if !TYPES.split_ascii_whitespace().any(|known| known == self.kind) {
            let message = format!("Invalid type: must be one of {}.", TYPES.replace(' ', ", "));
            return Err(ApiError::invalid_parameter("parameter_invalid", "type", message));
        }
        if self.is_well_formed() {
            return Ok(());
        }
        let message = format!("Invalid value for {}.", self.kind);
        Err(ApiError::invalid_parameter("tax_id_invalid", "value", message))
    }

    fn is_well_formed(&self) -> bool {
        let compact: String = self.value.chars().filter(|character| !" .-/".contains(*character)).collect();
        let is_of = |digits: usize| compact.len() == digits && compact.bytes().all(|byte| byte.is_ascii_digit());
        let has = |prefix: &str, digits: usize| {
            let rest = compact.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.len() == digits && rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        match self.kind.as_str() {
            "eu_vat" => is_eu_vat(&compact),
            "gb_vat" => has("GB", 9) || has("GB", 12),
            "us_ein" | "ca_bn" => is_of(9),
            "au_abn" => is_of(11),
            "no_vat" => compact.strip_suffix("MVA").is_some_and(|rest| rest.len() == 9),
            "in_gst" => compact.len() == 15,
            _ => !compact.is_empty() && compact.chars().count() <= 40,
        }
    }

    pub(crate) fn render(&self) -> Value {
        json!({ "type": self.kind, "value": self.value })
    }
}

/// The prefix of a member state, and how many characters follow it.
fn is_eu_vat(compact: &str) -> bool {
    let Some((country, rest)) = compact.split_at_checked(2) else { return false };
    let lengths: &[usize] = match country {
        "BE" | "PL" | "SK" => &[10],
        "AT" | "CY" | "DE" | "EE" | "EL" | "ES" | "PT" | "XI" => &[9],
        "DK" | "FI" | "HU" | "LU" | "MT" | "SI" => &[8],
        "FR" | "HR" | "IT" | "LV" => &[11],
        "BG" => &[9, 10],
        "CZ" => &[8, 9, 10],
        "IE" => &[8, 9],
        "LT" => &[9, 12],
        "NL" | "SE" => &[12],
        "RO" => &[2, 3, 4, 5, 6, 7, 8, 9, 10],
        _ => return false,
    };
    lengths.contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl Resource for TaxId {
    const NAME: &'static str = "tax_id";

    fn render(&self, _: &State) -> Value {
        let is_verified_somewhere = ["eu_vat", "gb_vat", "au_abn"].contains(&self.given.kind.as_str());
        json!({
            "id": self.id,
            "object": "tax_id",
            "country": self.given.country(),
            "created": self.created,
            "customer": self.customer,
            "livemode": false,
            "owner": { "customer": self.customer, "type": "customer" },
            "type": self.given.kind,
            "value": self.given.value,
            "verification": {
                "status": if is_verified_somewhere { "pending" } else { "unavailable" },
                "verified_address": null,
                "verified_name": null,
            },
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    #[serde(rename = "type")]
    kind: Option<String>,
    value: Option<String>,
}

/// One customer may have several, and even the same one twice.
pub(crate) fn create(state: &mut State, customer: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    let given = Given { kind: required(creation.kind, "type")?, value: required(creation.value, "value")? };
    customer::existing(state, customer, None)?;
    given.check()?;
    let id = insert(state, customer, given);
    Ok(state.render(&id))
}

/// A tax id that was checked.
pub(crate) fn insert(state: &mut State, customer: &str, given: Given) -> String {
    let id = state.ids.next("txi_");
    let tax_id = TaxId { id: id.clone(), created: state.now_seconds(), customer: customer.to_owned(), given };
    state.tax_ids.insert(&id, tax_id);
    state.emit("customer.tax_id.created", &id);
    id
}

pub(crate) fn retrieve(state: &State, customer: &str, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(owned(state, customer, id)?.render(state))
}

/// It cannot be changed, only deleted: <https://docs.stripe.com/api/tax_ids/customer_delete>.
pub(crate) fn delete(state: &mut State, customer: &str, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    let before = owned(state, customer, id)?.render(state);
    state.tax_ids.remove(id);
    state.emit_object("customer.tax_id.deleted", before, None);
    Ok(json!({ "id": id, "object": "tax_id", "deleted": true }))
}

fn owned<'state>(state: &'state State, customer: &str, id: &str) -> Result<&'state TaxId, ApiError> {
    customer::existing(state, customer, None)?;
    let found = state.tax_ids.find(id).filter(|tax_id| tax_id.customer == customer);
    found.ok_or_else(|| ApiError::no_such(TaxId::NAME, id, None))
}

pub(crate) fn list(state: &State, customer: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse_filters::<NoParameters>(encoded)?;
    customer::existing(state, customer, None)?;
    state.list(&state.tax_ids, &Page::parse(encoded)?, &url(customer), |tax_id| tax_id.customer == customer)
}

/// The customer's newest ones, which are left out of its object unless they are requested.
pub(crate) fn included(state: &State, customer: &str) -> Value {
    let mut newest: Vec<Value> = of_customer(state, customer).rev().map(|tax_id| tax_id.render(state)).collect();
    let has_more = newest.len() > INCLUDED_MAX;
    newest.truncate(INCLUDED_MAX);
    list_of(newest, has_more, &url(customer))
}

/// Oldest first.
pub(crate) fn of_customer<'a>(state: &'a State, customer: &'a str) -> impl DoubleEndedIterator<Item = &'a TaxId> {
    state.tax_ids.iter().map(|(_, tax_id)| tax_id).filter(move |tax_id| tax_id.customer == customer)
}

/// As an invoice shows them.
pub(crate) fn given_by(state: &State, customer: &str) -> Vec<Given> {
    of_customer(state, customer).map(|tax_id| tax_id.given.clone()).collect()
}

/// Those of a customer that is deleted.
pub(crate) fn forget(state: &mut State, customer: &str) {
    let ids: Vec<String> = of_customer(state, customer).map(|tax_id| tax_id.id.clone()).collect();
    for id in ids {
        state.tax_ids.remove(&id);
    }
}

fn url(customer: &str) -> String {
    format!("/v1/customers/{customer}/tax_ids")
}
