#!/usr/bin/env bash
# rusty-money takes three decimals of a price in euros for thousands.
#
# Guess:    Money::from_str("0.125", EUR), with no locale anywhere, is an eighth of a euro, as it is for dollars; or,
#           if euros have to be written with a comma, a point in them is refused.
# Seen:     2026-11-29, rusty-money 0.5.1: 125 euros. For EUR (and BRL) a point before three digits groups thousands,
#           even behind a leading zero; before two digits it is refused. "0,125" in dollars is 125 dollars likewise.
#           So what amount() gives as text is refused or read a thousand times as large.
# Matters:  The price of one credit has three decimals. A price book that works in dollars, and passes for euros where
#           amounts have two decimals (an error, soon found), sells for a thousand times the price.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

mkdir src
cat >src/main.rs <<'RS'
use rusty_money::{Money, iso};

fn main() {
    for text in ["12.50", "0.125", "0,125"] {
        let read = |currency| Money::from_str(text, currency).map_or("refused".to_owned(), |money| money.amount().to_string());
        println!("{text}: USD {}, GBP {}, EUR {}, BRL {}", read(iso::USD), read(iso::GBP), read(iso::EUR), read(iso::BRL));
    }
    let price = Money::from_str("0,125", iso::EUR).expect("a comma is the decimal sign of EUR");
    let again = Money::from_str(&price.amount().to_string(), iso::EUR).expect("three decimals are read");
    println!("EUR written as {} and read again: {}", price.amount(), again.amount());
}
RS
rust_program >seen <<'DEPENDENCIES'
rusty-money = "=0.5.1"
DEPENDENCIES
holds seen <<'SEEN'
12.50: USD 12.50, GBP 12.50, EUR refused, BRL refused
0.125: USD 0.125, GBP 0.125, EUR 125.00, BRL 125.00
0,125: USD 125.00, GBP 125.00, EUR 0.125, BRL 0.125
EUR written as 0.125 and read again: 125.00
SEEN
