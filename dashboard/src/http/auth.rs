//! Who may come in: the token of programs, the cookie of browsers, the one-use code between them.
//!
//! The printed address carries a code that is good once and for 60 s; it becomes a cookie whose value
//! is another secret than the token. Secrets are compared as digests, in constant time.

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use subtle::ConstantTimeEq;

/// How long a one-use code may be redeemed.
pub const CODE_LIFETIME: Duration = Duration::from_secs(60);
/// Codes open at one time; the oldest goes when another is minted.
const CODES_MAX: usize = 16;
/// Wrong credentials answered with 401 in a second; the rest get 429.
const FAILURES_PER_SECOND: u32 = 10;

/// How a request proved itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// `Authorization: Bearer`: a program, to which no browser lends its cookies.
    Bearer,
    /// The cookie that a one-use code became.
    Cookie,
}

/// The secrets of one server, new at each start.
pub struct Auth {
    token: String,
    token_digest: [u8; 32],
    cookie: String,
    cookie_digest: [u8; 32],
    codes: Mutex<Vec<([u8; 32], Instant)>>,
    failures: Mutex<(Instant, u32)>,
}

impl Auth {
    /// New secrets for a server on `port`. Errors when the kernel gives no random bytes.
    pub fn new() -> Result<Self, getrandom::Error> {
        let (token, cookie) = (secret()?, secret()?);
        Ok(Self {
            token_digest: digest(&token),
            cookie_digest: digest(&cookie),
            token,
            cookie,
            codes: Mutex::default(),
            failures: Mutex::new((Instant::now(), 0)),
        })
    }

    /// The token for `Authorization: Bearer`, 64 hexadecimal digits.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A new one-use code, good for [`CODE_LIFETIME`].
    pub fn mint_code(&self) -> Result<String, getrandom::Error> {
        let code = secret()?;
        let mut codes = lock(&self.codes);
        codes.retain(|(_, minted)| minted.elapsed() < CODE_LIFETIME);
        if codes.len() == CODES_MAX {
            codes.remove(0);
        }
        codes.push((digest(&code), Instant::now()));
        Ok(code)
    }

    /// Turns a code into the `Set-Cookie` value for a server on `port`; `None` if it is wrong, used or old.
    pub fn redeem(&self, code: &str, port: u16) -> Option<String> {
        let wanted = digest(code);
        let mut codes = lock(&self.codes);
        let found = codes.iter().position(|(known, _)| bool::from(known.ct_eq(&wanted)))?;
        let (_, minted) = codes.remove(found);
        (minted.elapsed() < CODE_LIFETIME).then(|| {
            format!("{}={}; HttpOnly; SameSite=Strict; Path=/", cookie_name(port), self.cookie)
        })
    }

    /// How the request proves itself, if it does.
    pub fn identify(&self, headers: &HeaderMap, port: u16) -> Option<Identity> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            // A wrong token is not made good by a cookie: the sender is confused or guessing.
            let given = value.to_str().ok()?.strip_prefix("Bearer ")?;
            return equal(given, &self.token_digest).then_some(Identity::Bearer);
        }
        let name = cookie_name(port);
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .any(|(key, value)| key == name && equal(value, &self.cookie_digest))
            .then_some(Identity::Cookie)
    }

    /// Counts a failure; true when there were too many in this second.
    pub fn failed_too_often(&self) -> bool {
        let mut failures = lock(&self.failures);
        if failures.0.elapsed() >= Duration::from_secs(1) {
            *failures = (Instant::now(), 0);
        }
        failures.1 = failures.1.saturating_add(1);
        failures.1 > FAILURES_PER_SECOND
    }
}

/// Cookies do not know ports, so two servers on one machine need two names.
pub fn cookie_name(port: u16) -> String {
    format!("gilscope_{port}")
}

fn secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn equal(given: &str, known: &[u8; 32]) -> bool {
    digest(given).ct_eq(known).into()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Each critical section above leaves the value whole, even if it panics half-way.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn a_code_is_good_once_and_becomes_the_cookie() {
        let auth = Auth::new().unwrap();
        let code = auth.mint_code().unwrap();
        let cookie = auth.redeem(&code, 7676).unwrap();
        assert_eq!(auth.redeem(&code, 7676), None);
        assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"));
        assert!(!cookie.contains(auth.token()));
        let sent = cookie.split(';').next().unwrap();
        let request = headers(header::COOKIE, &format!("other=1; {sent}"));
        assert_eq!(auth.identify(&request, 7676), Some(Identity::Cookie));
        assert_eq!(auth.identify(&request, 7677), None, "another port's cookie");
    }

    #[test]
    fn only_the_exact_token_is_taken() {
        let auth = Auth::new().unwrap();
        let good = format!("Bearer {}", auth.token());
        assert_eq!(
            auth.identify(&headers(header::AUTHORIZATION, &good), 1),
            Some(Identity::Bearer)
        );
        for bad in [
            "Bearer ",
            "Bearer x",
            &good[..good.len() - 1],
            &format!("{good}0"),
            auth.token(),
            "Basic eDp4",
        ] {
            assert_eq!(auth.identify(&headers(header::AUTHORIZATION, bad), 1), None, "{bad}");
        }
    }

    #[test]
    fn only_so_many_codes_are_open() {
        let auth = Auth::new().unwrap();
        let first = auth.mint_code().unwrap();
        for _ in 0..CODES_MAX {
            auth.mint_code().unwrap();
        }
        assert_eq!(auth.redeem(&first, 1), None);
    }
}
