//! One file per page. Each is a function from context and model to HTML and asks nobody anything.

mod account;
mod activation;
mod alarms;
mod approval;
mod audit;
mod bandwidth;
mod cluster;
mod consent;
mod datasets;
mod evidence;
mod gate;
mod isolation;
mod lag;
mod last_written;
mod licence;
mod login;
mod monitor;
mod overview;
mod pairing;
mod phones;
mod points;
mod preserved;
mod problem;
mod procedure;
mod procedure_form;
mod procedure_groups;
mod procedure_servers;
mod readiness;
mod replication;
mod retire;
mod run;
mod runs;
mod same_data;
mod scrub;
mod services;
mod settle;
mod sms;
mod smtp;
mod steps_left;
mod steps_to_come;
mod telephony;
mod thresholds;
mod users;
mod word;

use leptos::prelude::*;

use crate::model::{Context, Page};
use crate::routes::{self, PageId};

/// What the browser's tab says.
pub(crate) fn title_of(cx: &Context, page: &Page) -> String {
    let id = match page {
        Page::Login(_) => PageId::Login,
        Page::Account => PageId::Account,
        Page::Overview(_) => PageId::Overview,
        Page::Monitor(_) => PageId::Monitor,
        Page::Alarms(_) => PageId::Alarms,
        Page::Activation(_) => return activation::heading(cx),
        Page::Runs(_) => PageId::Runs,
        Page::Run(run) => return run.kind.label(cx.lang).to_owned(),
        Page::Licence(_) => PageId::Licence,
        Page::Pairing(_) => PageId::Pairing,
        Page::Datasets(_) => PageId::Datasets,
        Page::Replication(_) => PageId::Replication,
        Page::Services(_) => PageId::Services,
        Page::Isolation(_) => PageId::Isolation,
        Page::Telephony(_) => PageId::Telephony,
        Page::Procedure(_) => PageId::Procedure,
        Page::Thresholds(_) => PageId::Thresholds,
        Page::Smtp(_) => PageId::Smtp,
        Page::Sms(_) => PageId::Sms,
        Page::Users(_) => PageId::Users,
        Page::Audit(_) => PageId::Audit,
        Page::Problem(kind) => return problem::title(cx, kind).to_owned(),
    };
    routes::of(id).label(cx.lang).to_owned()
}

/// Whether the link *Aggiorna* stands on it.
pub(crate) const fn has_reload(page: &Page) -> bool {
    match page {
        Page::Overview(_)
        | Page::Monitor(_)
        | Page::Alarms(_)
        | Page::Services(_)
        | Page::Activation(_)
        | Page::Telephony(_)
        | Page::Runs(_)
        | Page::Run(_)
        | Page::Pairing(_)
        | Page::Datasets(_)
        | Page::Replication(_)
        | Page::Audit(_) => true,
        Page::Login(_)
        | Page::Account
        | Page::Licence(_)
        | Page::Isolation(_)
        | Page::Procedure(_)
        | Page::Thresholds(_)
        | Page::Smtp(_)
        | Page::Sms(_)
        | Page::Users(_)
        | Page::Problem(_) => false,
    }
}

/// Draws it.
pub(crate) fn view(cx: &Context, page: &Page) -> AnyView {
    match page {
        Page::Login(model) => login::view(cx, model),
        Page::Account => account::view(cx),
        Page::Overview(model) => overview::view(cx, model),
        Page::Monitor(model) => monitor::view(cx, model),
        Page::Alarms(model) => alarms::view(cx, model),
        Page::Activation(model) => activation::view(cx, model),
        Page::Runs(model) => runs::view(cx, model),
        Page::Run(model) => run::view(cx, model),
        Page::Licence(model) => licence::view(cx, model),
        Page::Pairing(model) => pairing::view(cx, model),
        Page::Datasets(model) => datasets::view(cx, model),
        Page::Replication(model) => replication::view(cx, model),
        Page::Services(model) => services::view(cx, model),
        Page::Isolation(model) => isolation::view(cx, model),
        Page::Telephony(model) => telephony::view(cx, model),
        Page::Procedure(model) => procedure::view(cx, model),
        Page::Thresholds(model) => thresholds::view(cx, model),
        Page::Smtp(model) => smtp::view(cx, model),
        Page::Sms(model) => sms::view(cx, model),
        Page::Users(model) => users::view(cx, model),
        Page::Audit(model) => audit::view(cx, model),
        Page::Problem(kind) => problem::view(cx, kind),
    }
}
