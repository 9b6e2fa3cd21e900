//! Random numbers that are the same on every machine (xorshift64*, Vigna 2016).

#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// In `[low, high)`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low).max(1)
    }

    /// Around `mean`, with the long tail of real durations: a quarter of it to eight times it.
    pub fn duration(&mut self, mean: u64) -> u64 {
        let halvings = (self.next() % 1024).leading_zeros() as u64 - 54;
        self.between(mean / 4, mean / 4 + (mean << halvings.min(3)) / 2 + 1)
    }
}
