//! Object ids with Stripe's prefixes. The same seed gives the same ids.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A leading counter makes ids sort by creation. The random tail makes sure that nobody guesses or shortens them.
pub(crate) struct Ids {
    counter: u64,
    random: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { counter: 0, random: seed }
    }

    /// `prefix` includes its underscore, such as `in_`.
    pub(crate) fn next(&mut self, prefix: &str) -> String {
        self.counter += 1;
        let tail = self.token(16);
        format!("{prefix}1{:07}{tail}", self.counter)
    }

    pub(crate) fn token(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| {
                let index = usize::try_from(self.random_number() % 62).expect("a number below 62 fits");
                char::from(ALPHABET[index])
            })
            .collect()
    }

    /// SplitMix64: one addition and three mixing steps, which is enough for ids that need no secrecy.
    fn random_number(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
