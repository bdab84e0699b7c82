//! Who is told, and by which way: recipients, the mail server, the SMS gateways.

use std::path::PathBuf;

use clap::Subcommand;

/// Recipients.
#[derive(Debug, Subcommand)]
pub enum RecipientVerb {
    /// Add one
    Add {
        /// email or sms
        channel: String,
        /// Address or number
        value: String,
    },
    /// Remove one
    Remove {
        /// email or sms
        channel: String,
        /// Address or number
        value: String,
    },
    /// Who there is
    List,
    /// Choose the language of their messages
    Language {
        /// it or en
        language: String,
    },
}

/// The mail server.
#[derive(Debug, Subcommand)]
pub enum SmtpVerb {
    /// Set it
    Set {
        /// Name or IP
        #[arg(long)]
        server: String,
        /// Its port; 25, 587 or 465 unless given
        #[arg(long, value_name = "N", default_value = "")]
        port: String,
        /// none, starttls or tls
        #[arg(long)]
        security: String,
        /// The sender
        #[arg(long, value_name = "ADDR")]
        from: String,
        /// The user, where it authenticates
        #[arg(long, default_value = "")]
        user: String,
        /// Read the password from stdin; without it the stored one is kept
        #[arg(long)]
        password_stdin: bool,
        /// The authority that signed its certificate, as PEM; the system's unless given
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// Show it
    Show,
    /// Send a test mail; 1 with the server's words when it does not take it
    Test {
        /// To whom
        to: String,
    },
}

/// SMS.
#[derive(Debug, Subcommand)]
pub enum SmsVerb {
    /// The gateways
    Account {
        #[command(subcommand)]
        verb: SmsAccountVerb,
    },
}

/// SMS gateways. `{to}` `{text}` `{ref}` `{secret}` are escaped for the place they stand in.
#[derive(Debug, Subcommand)]
pub enum SmsAccountVerb {
    /// Add one, or replace the one of that name
    Add {
        /// Its name
        name: String,
        /// Its URL; may hold {to} {text} {ref} {secret}
        #[arg(long)]
        url: String,
        /// GET or POST
        #[arg(long, default_value = "POST")]
        method: String,
        /// 'Name: value'; may be repeated, may hold placeholders
        #[arg(long, value_name = "HEADER")]
        header: Vec<String>,
        /// The body; may hold placeholders
        #[arg(long, default_value = "")]
        body: String,
        /// The HTTP status that means success
        #[arg(long, value_name = "RANGE", default_value = "200-299")]
        success_status: String,
        /// What the answer must match, too
        #[arg(long, value_name = "REGEX", default_value = "")]
        success_body: String,
        /// Read the secret from stdin; without it the stored one is kept
        #[arg(long)]
        secret_stdin: bool,
        /// The authority that signed its certificate, as PEM; the system's unless given
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// Which there are, in the order in which they are tried
    List,
    /// Remove one
    Remove {
        /// Its name
        name: String,
    },
    /// Choose the one that is tried first
    Default {
        /// Its name
        name: String,
    },
    /// Send a test SMS by one; 1 with its words when it does not take it
    Test {
        /// Its name
        name: String,
        /// To whom
        to: String,
    },
}
