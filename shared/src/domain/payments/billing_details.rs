//! What the customer's invoices say about its company: the name, the address, the tax id and the number of its order.
//!
//! The payment provider keeps them. Here they only pass through: they are never stored, and [`Text`] never shows them in
//! a log.

use crate::domain::ids::is_visible;
use std::fmt;

/// A line of 1 to `MAX` characters, all of them visible, without spaces around them.
#[derive(Clone, PartialEq, Eq)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    pub fn parse(text: String) -> Option<Self> {
        let is_short = (1..=MAX).contains(&text.chars().count());
        (is_short && text.trim() == text && text.chars().all(is_visible)).then_some(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a valid text looks like.
    pub fn expected() -> String {
        format!("1 to {MAX} characters, all of them visible, without spaces around them")
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[not shown]")
    }
}

/// Details that the customer chose. They replace those before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingDetails {
    pub company: Option<Company>,
    pub address: Option<BillingAddress>,
    pub tax_id: Option<TaxId>,
    pub po_number: Option<PoNumber>,
}

/// Stripe takes 256 characters, and 150 where it collects the name of a company itself.
pub type Company = Text<150>;
/// Stripe's invoices show a field of at most 140 characters.
pub type PoNumber = Text<140>;
pub type AddressLine = Text<200>;
pub type PostalCode = Text<20>;
pub type TaxIdValue = Text<40>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingAddress {
    pub country: Country,
    pub line1: Option<AddressLine>,
    pub line2: Option<AddressLine>,
    pub postal_code: Option<PostalCode>,
    pub city: Option<AddressLine>,
    pub state: Option<AddressLine>,
}

/// A tax id. Only the payment provider knows whether the value is one of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxId {
    pub kind: TaxIdType,
    pub value: TaxIdValue,
}

impl TaxId {
    /// Whether it is the same, however it is punctuated.
    pub fn is(&self, kind: &str, value: &str) -> bool {
        let letters = |text: &str| {
            text.chars()
                .filter(|character| character.is_alphanumeric())
                .flat_map(char::to_uppercase)
                .collect::<String>()
        };
        self.kind.0 == kind && letters(self.value.as_str()) == letters(value)
    }
}

/// The code of a country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country(&'static str);

impl Country {
    /// The codes of ISO 3166-1 that are assigned: <https://www.iso.org/obp/ui/#search/code/>.
    const CODES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS \
        BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET \
        FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO \
        IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH \
        MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM \
        PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
        TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";
    pub const EXPECTED: &str = "the code of a country in ISO 3166-1, two capital letters";

    pub fn parse(code: &str) -> Option<Self> {
        Self::CODES.split_ascii_whitespace().find(|known| *known == code).map(Self)
    }

    pub fn code(self) -> &'static str {
        self.0
    }
}

/// What a tax id is: an authority's number of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaxIdType(&'static str);

impl TaxIdType {
    /// <https://docs.stripe.com/billing/customer/tax-ids#supported-tax-id>
    const NAMES: &str = "ad_nrt ae_trn al_tin am_tin ao_tin ar_cuit au_abn au_arn aw_tin az_tin ba_tin bb_tin bd_bin \
        bf_ifu bg_uic bh_vat bj_ifu bo_tin br_cnpj br_cpf bs_tin by_tin ca_bn ca_gst_hst ca_pst_bc ca_pst_mb ca_pst_sk \
        ca_qst cd_nif ch_uid ch_vat cl_tin cm_niu cn_tin co_nit cr_tin cv_nif de_stn do_rcn ec_ruc eg_tin es_cif et_tin \
        eu_oss_vat eu_vat fo_vat gb_vat ge_vat gi_tin gn_nif hk_br hr_oib hu_tin ic_nif id_npwp il_vat in_gst is_vat \
        it_cf jp_cn jp_rn jp_trn ke_pin kg_tin kh_tin kr_brn kz_bin la_tin li_uid li_vat lk_vat ma_vat md_vat me_pib \
        mk_vat mr_nif mx_rfc my_frp my_itn my_sst ng_tin no_vat no_voec np_pan nz_gst om_vat pe_ruc ph_tin pl_nip py_ruc \
        ro_tin rs_pib ru_inn ru_kpp sa_vat sg_gst sg_uen si_tin sn_ninea sr_fin sv_nit th_vat tj_tin tr_tin tw_vat \
        tz_vat ua_vat ug_tin us_ein uy_ruc uz_tin uz_vat ve_rif vn_tin za_vat zm_tin zw_tin";
    pub const EXPECTED: &str = "a type of tax id that Stripe knows, such as eu_vat, gb_vat or us_ein";

    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|known| known.0 == name)
    }

    pub fn name(self) -> &'static str {
        self.0
    }

    pub fn all() -> impl Iterator<Item = Self> {
        Self::NAMES.split_ascii_whitespace().map(Self)
    }
}

/// The details as the payment provider has them now, whoever entered them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KnownBillingDetails {
    pub company: Option<String>,
    pub address: Option<KnownAddress>,
    /// The newest one.
    pub tax_id: Option<KnownTaxId>,
    pub po_number: Option<String>,
    /// Why the customer is not taxed, if so: `exempt` or `reverse`. Only the company can change it.
    pub tax_exempt: Option<String>,
}

#[derive(Clone, Default, PartialEq, Eq)]
pub struct KnownAddress {
    pub country: Option<String>,
    pub line1: Option<String>,
    pub line2: Option<String>,
    pub postal_code: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct KnownTaxId {
    pub kind: String,
    pub value: String,
    /// Whether its authority knows it: `pending`, `verified`, `unverified` or `unavailable`.
    pub verification: Option<String>,
}

impl fmt::Debug for KnownBillingDetails {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KnownBillingDetails").finish_non_exhaustive()
    }
}

/// A detail that the payment provider does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedDetail {
    /// Tax is calculated, and there is no address that determines it.
    NoAddress,
    /// Tax is calculated, and this address does not determine it.
    Address,
    TaxIdType,
    TaxIdValue,
    /// The company shows other fields on the customer's invoices, and there is no room for one more.
    NoRoomForPoNumber,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_its_length_in_characters_and_is_visible() {
        for (text, is_valid) in [
            ("", false),
            ("a", true),
            ("Ümlaut", true),
            (" a", false),
            ("a\u{a0}", false),
            ("a b", true),
            ("a\nb", false),
            ("a\u{202e}b", false),
            ("ÄÖÜäöüß890", true),
            ("ÄÖÜäöüß8901", false),
        ] {
            assert_eq!(Text::<10>::parse(text.to_owned()).is_some(), is_valid, "{text:?}");
        }
    }

    #[test]
    fn no_text_is_shown_in_a_log() {
        let company = Company::parse("Acme GmbH".to_owned());
        let address = BillingAddress {
            country: Country::parse("DE").unwrap(),
            line1: AddressLine::parse("1 Main Street".to_owned()),
            line2: None,
            postal_code: PostalCode::parse("10115".to_owned()),
            city: None,
            state: None,
        };
        let value = TaxIdValue::parse("DE123456789".to_owned()).unwrap();
        let tax_id = Some(TaxId { kind: TaxIdType::parse("eu_vat").unwrap(), value });
        let po_number = PoNumber::parse("PO-4711".to_owned());
        let chosen = BillingDetails { company, address: Some(address), tax_id, po_number };
        let known = KnownBillingDetails { company: Some("Acme GmbH".to_owned()), ..KnownBillingDetails::default() };
        let shown = format!("{chosen:?} {known:?}");
        for hidden in ["Acme", "Main", "10115", "123456789", "4711"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }

    #[test]
    fn countries_and_types_are_those_of_their_lists() {
        assert_eq!(Country::CODES.split_ascii_whitespace().count(), 249);
        for code in ["DE", "US", "XK", "ZZ", "de", "DEU", "", "A D"] {
            assert_eq!(Country::parse(code).is_some(), matches!(code, "DE" | "US"), "{code}");
        }
        for name in ["eu_vat", "us_ein", "unknown", "EU_VAT", "", "eu_vat us_ein"] {
            assert_eq!(TaxIdType::parse(name).is_some(), matches!(name, "eu_vat" | "us_ein"), "{name}");
        }
    }

    #[test]
    fn a_tax_id_is_the_same_however_it_is_punctuated() {
        let tax_id = TaxId {
            kind: TaxIdType::parse("ch_vat").unwrap(),
            value: TaxIdValue::parse("che-123.456.789 MWST".to_owned()).unwrap(),
        };
        assert!(tax_id.is("ch_vat", "CHE123456789MWST"));
        assert!(!tax_id.is("ch_uid", "CHE123456789MWST"));
        assert!(!tax_id.is("ch_vat", "CHE123456788MWST"));
    }
}
