//! The network of a stand: real sockets to one vendor, whatever host the connector names, with the fates of effects and
//! spoiled answers in between. It remembers every request as it left. Knows no connector.

use crate::fate::{Cut, Fates};
use crate::mangle::{self, Mangle};
use async_trait::async_trait;
use std::sync::{Mutex, MutexGuard, PoisonError};
use url::Url;
use waybill_host::ports::{Wire, WireError, WireRequest, WireResponse};
use waybill_host::wire::NetWire;

/// A request as it left, without headers: those carry the secrets.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    pub(crate) url: String,
    pub(crate) body: Vec<u8>,
}

fn is_read(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

/// The wire.
pub(crate) struct Tap {
    net: NetWire,
    vendor: Url,
    fates: Fates,
    left: Mutex<Vec<Left>>,
    mangle: Mutex<Option<Mangle>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tap {
    pub(crate) fn new(vendor: Url, fates: Fates) -> anyhow::Result<Self> {
        Ok(Self {
            net: NetWire::new(&[])?,
            vendor,
            fates,
            left: Mutex::default(),
            mangle: Mutex::default(),
        })
    }

    /// Spoils every answer from now on.
    pub(crate) fn spoil(&self, mangle: Option<Mangle>) {
        *held(&self.mangle) = mangle;
    }

    /// What left since the last question.
    pub(crate) fn take_left(&self) -> Vec<Left> {
        std::mem::take(&mut *held(&self.left))
    }

    /// The same path at the vendor of this stand.
    fn redirected(&self, url: &str) -> Result<String, WireError> {
        let mut url = Url::parse(url).map_err(|e| WireError::NotSent(e.to_string()))?;
        // Setting a scheme fails only for addresses that are no http ones, and the host let none of those through.
        let (Ok(()), Ok(()), Ok(())) = (
            url.set_scheme(self.vendor.scheme()),
            url.set_host(self.vendor.host_str()).map_err(drop),
            url.set_port(self.vendor.port()),
        ) else {
            return Err(WireError::NotSent(format!("`{url}` cannot be redirected")));
        };
        Ok(url.into())
    }

    async fn spoiled(
        &self,
        mangle: Mangle,
        request: WireRequest,
    ) -> Result<WireResponse, WireError> {
        let headers = request.headers.clone();
        let fixed = |status: u16, body: &[u8]| WireResponse {
            status,
            headers: vec![
                ("content-type".to_owned(), "application/json".to_owned()),
                ("date".to_owned(), "yesterday".to_owned()),
                ("retry-after".to_owned(), "-1".to_owned()),
                ("location".to_owned(), String::new()),
            ],
            body: body.to_vec(),
        };
        Ok(match mangle {
            Mangle::Deep => fixed(200, &mangle::deep()),
            Mangle::Fixed(_, status, body) => fixed(status, body),
            Mangle::Echo => {
                let all: Vec<String> = headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
                let body = serde_json::json!({"message": all, "errors": [{"code": "X", "message": all.join("; ")}]});
                fixed(400, body.to_string().as_bytes())
            }
            Mangle::Cut => {
                let mut answer = self.net.send(request).await?;
                answer.body.truncate(answer.body.len() / 2);
                answer
            }
            Mangle::Values(_, change) => {
                let mut answer = self.net.send(request).await?;
                answer.body = mangle::body(&answer.body, change);
                answer
            }
        })
    }
}

#[async_trait]
impl Wire for Tap {
    async fn send(&self, mut request: WireRequest) -> Result<WireResponse, WireError> {
        held(&self.left).push(Left {
            url: request.url.clone(),
            body: request.body.clone(),
        });
        let fate = self.fates.of_request(is_read(&request.method));
        request.url = self.redirected(&request.url)?;
        request.allow_private = true;
        let mangle = *held(&self.mangle);
        if let Some(mangle) = mangle {
            let max = request.max_answer;
            let answer = self.spoiled(mangle, request).await?;
            let len = u64::try_from(answer.body.len()).unwrap_or(u64::MAX);
            return if len > max {
                Err(WireError::TooLarge(max))
            } else {
                Ok(answer)
            };
        }
        let lost = || Err(WireError::Lost("cut by the contract test".to_owned()));
        if fate == Some(Cut::LostBefore) {
            return lost();
        }
        let mut answer = self.net.send(request).await?;
        match fate {
            Some(Cut::LostAfter) => return lost(),
            Some(Cut::Gateway) => {
                answer.status = 502;
                answer.body = b"<html><body>Bad Gateway</body></html>".to_vec();
            }
            Some(Cut::Half) => answer.body.truncate(answer.body.len() / 2),
            _ => {}
        }
        Ok(answer)
    }
}
