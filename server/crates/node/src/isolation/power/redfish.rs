//! A management controller over Redfish (DMTF DSP0266): JSON over HTTPS, with the Basic authentication that every such
//! service must offer (DSP0266, 13.3.4.1). Its certificate is checked against an authority, or pinned.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use contract::command::Secret;
use contract::power::{PowerAccess, PowerFault, PowerState};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Uri};
use serde_json::{Value, json};

use super::Order;
use crate::http_client::{self, HttpError, Trust};

/// One service.
#[derive(Debug)]
pub(super) struct Service<'a> {
    /// `https://HOST[:PORT]`.
    pub(super) url: &'a str,
    pub(super) user: &'a str,
    pub(super) password: Option<&'a Secret>,
    /// The system's id where the service has several.
    pub(super) system: Option<&'a str>,
    pub(super) trust: Trust,
}

impl<'a> Service<'a> {
    pub(super) fn new(access: &'a PowerAccess, password: Option<&'a Secret>) -> Result<Self, PowerFault> {
        let PowerAccess::Redfish { url, user, system, fingerprint, ca } = access else {
            return Err(PowerFault::NoCommand);
        };
        let trust = match (fingerprint, ca) {
            (Some(fingerprint), _) => Trust::Pinned(fingerprint.clone()),
            (None, Some(pem)) => Trust::Authority(pem.clone()),
            (None, None) => Trust::System,
        };
        Ok(Self { url, user, password, system: system.as_deref(), trust })
    }

    /// Asks whether the machine has power. While it changes it has neither.
    pub(super) async fn status(&self) -> Result<PowerState, PowerFault> {
        let system = self.system().await?;
        match system["PowerState"].as_str() {
            Some("On") => Ok(PowerState::On),
            Some("Off") => Ok(PowerState::Off),
            other => Err(PowerFault::Unclear(format!("PowerState {}", other.unwrap_or("null")))),
        }
    }

    /// Orders a reset (DSP0268, ComputerSystem.Reset).
    pub(super) async fn give(&self, order: Order) -> Result<(), PowerFault> {
        let system = self.system().await?;
        let action = &system["Actions"]["#ComputerSystem.Reset"];
        let target = action["target"].as_str().filter(|target| target.starts_with('/'));
        let target = target.ok_or_else(|| PowerFault::Failed("the system has no ComputerSystem.Reset".into()))?;
        let kind = match order {
            Order::Off => "ForceOff",
            Order::Shutdown => "GracefulShutdown",
            Order::On => "On",
        };
        self.say(Method::POST, target, Some(json!({ "ResetType": kind }))).await.map(drop)
    }

    /// The one system of the service, or the one that is named.
    async fn system(&self) -> Result<Value, PowerFault> {
        if let Some(id) = self.system {
            return self.say(Method::GET, &format!("/redfish/v1/Systems/{id}"), None).await;
        }
        let all = self.say(Method::GET, "/redfish/v1/Systems", None).await?;
        let members = all["Members"].as_array().map(Vec::as_slice).unwrap_or_default();
        match members {
            [] => Err(PowerFault::NoSystem),
            [one] => {
                let path =
                    one["@odata.id"].as_str().filter(|path| path.starts_with('/')).ok_or(PowerFault::NoSystem)?;
                self.say(Method::GET, path, None).await
            }
            several => {
                let id =
                    |one: &Value| one["@odata.id"].as_str().and_then(|path| path.rsplit('/').next()).map(str::to_owned);
                let ids: Vec<String> = several.iter().filter_map(id).take(16).collect();
                Err(PowerFault::SeveralSystems(ids.join(", ")))
            }
        }
    }

    async fn say(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, PowerFault> {
        let unusable = || PowerFault::Failed(format!("{} cannot be asked for {path}", self.url));
        let base: Uri = self.url.parse().map_err(|_| unusable())?;
        let (Some(host), Some(authority)) = (base.host(), base.authority()) else { return Err(unusable()) };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let tls = base.scheme_str() == Some("https");
        let port = base.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let mut request = Request::new(Full::new(Bytes::from(body.as_ref().map(Value::to_string).unwrap_or_default())));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| unusable())?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_str(authority.as_str()).map_err(|_| unusable())?);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert("OData-Version", HeaderValue::from_static("4.0"));
        if body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(AUTHORIZATION, self.login().map_err(|_| unusable())?);
        let answer = http_client::exchange(host, port, tls.then_some(&self.trust), request).await;
        let (status, text) = answer.map_err(|error| fault(&error))?;
        match status {
            200..=299 => Ok(serde_json::from_str(&text).unwrap_or_default()),
            401 => Err(PowerFault::WrongLogin),
            403 => Err(PowerFault::NotPermitted),
            404 if self.system.is_some() => Err(PowerFault::NoSystem),
            _ => Err(PowerFault::Failed(format!("HTTP {status} {}", complaint(&text)))),
        }
    }

    /// RFC 7617.
    fn login(&self) -> Result<HeaderValue, hyper::header::InvalidHeaderValue> {
        let password = self.password.map(Secret::reveal).unwrap_or_default();
        let mut value =
            HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{}:{password}", self.user))))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Why there was no answer, in plain words.
fn fault(error: &HttpError) -> PowerFault {
    if error.is_of_its_certificate() {
        return PowerFault::WrongCertificate(error.to_string());
    }
    match error {
        HttpError::Unreachable(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => PowerFault::Silent,
        HttpError::Unreachable(error) if error.kind() == std::io::ErrorKind::HostUnreachable => PowerFault::NoRoute,
        other => PowerFault::Failed(other.to_string().chars().filter(|c| !c.is_control()).take(200).collect()),
    }
}

/// What the service says of what went wrong (DSP0266, 8.6): its first message.
fn complaint(text: &str) -> String {
    let json: Value = serde_json::from_str(text).unwrap_or_default();
    let message =
        json["error"]["@Message.ExtendedInfo"][0]["Message"].as_str().or_else(|| json["error"]["message"].as_str());
    message.unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_of_an_error_is_what_is_told() {
        let info = r#"{"error": {"message": "General", "@Message.ExtendedInfo": [{"Message": "Reset is\nblocked"}]}}"#;
        assert_eq!(complaint(info), "Reset isblocked");
        assert_eq!(complaint(r#"{"error": {"message": "General"}}"#), "General");
        assert_eq!(complaint("<html>"), "");
    }
}
