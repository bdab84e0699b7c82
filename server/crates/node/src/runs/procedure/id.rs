//! What a step is called in tables, in JSON and on the command line, and the way back.

use std::fmt;
use std::str::FromStr;

use super::Step;

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approval => f.write_str("approval"),
            Self::CloseInbound => f.write_str("close_inbound"),
            Self::Point => f.write_str("point"),
            Self::PowerOff(ip) => write!(f, "power_off:{ip}"),
            Self::Evidence => f.write_str("evidence"),
            Self::Mandate => f.write_str("mandate"),
            Self::PutBack => f.write_str("put_back"),
            Self::Freeze => f.write_str("freeze"),
            Self::Suspend => f.write_str("suspend"),
            Self::Resume => f.write_str("resume"),
            Self::Start(name) => write!(f, "start:{name}"),
            Self::Stop(name) => write!(f, "stop:{name}"),
            Self::Verify => f.write_str("verify"),
            Self::Telephony => f.write_str("telephony"),
            Self::Ledger => f.write_str("ledger"),
            Self::Preserve => f.write_str("preserve"),
            Self::Receive => f.write_str("receive"),
            Self::Bring => f.write_str("bring"),
            Self::LastDelta => f.write_str("last_delta"),
            Self::Compare => f.write_str("compare"),
            Self::Home => f.write_str("home"),
            Self::Served => f.write_str("served"),
            Self::Stable => f.write_str("stable"),
            Self::DrillCopy => f.write_str("drill_copy"),
            Self::DrillClear => f.write_str("drill_clear"),
            Self::DrillReady => f.write_str("drill_ready"),
            Self::Own(name) => write!(f, "own:{name}"),
            Self::Revert(name) => write!(f, "revert:{name}"),
        }
    }
}

impl From<Step> for String {
    fn from(step: Step) -> Self {
        step.to_string()
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(id: &str) -> Result<Self, String> {
        Ok(match id.split_once(':') {
            Some(("start", name)) => Self::Start(name.to_owned()),
            Some(("stop", name)) => Self::Stop(name.to_owned()),
            Some(("own", name)) => Self::Own(name.to_owned()),
            Some(("revert", name)) => Self::Revert(name.to_owned()),
            Some(("power_off", ip)) => Self::PowerOff(ip.to_owned()),
            _ => match id {
                "approval" => Self::Approval,
                "close_inbound" => Self::CloseInbound,
                "point" => Self::Point,
                "evidence" => Self::Evidence,
                "mandate" => Self::Mandate,
                "put_back" => Self::PutBack,
                "freeze" => Self::Freeze,
                "suspend" => Self::Suspend,
                "resume" => Self::Resume,
                "verify" => Self::Verify,
                "telephony" => Self::Telephony,
                "ledger" => Self::Ledger,
                "preserve" => Self::Preserve,
                "receive" => Self::Receive,
                "bring" => Self::Bring,
                "last_delta" => Self::LastDelta,
                "compare" => Self::Compare,
                "home" => Self::Home,
                "served" => Self::Served,
                "stable" => Self::Stable,
                "drill_copy" => Self::DrillCopy,
                "drill_clear" => Self::DrillClear,
                "drill_ready" => Self::DrillReady,
                _ => return Err(format!("there is no step {id}")),
            },
        })
    }
}

impl TryFrom<String> for Step {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        id.parse()
    }
}
