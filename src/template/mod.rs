//! Text formats: templates for those without a typed form, YAML for values. A leaf: it knows no stage.
//!
//! Tera renders what machines read; its filters quote for the language of the file. Handlebars renders what people
//! read, in `backend::readme`.

mod filters;

use serde::Serialize;
use tera::{Context, Tera};

/// Makes an engine with the quoting filters and nothing in it. Quoting is by filter, for the language of each file;
/// HTML's would be wrong everywhere here.
pub fn engine() -> Tera {
    let mut tera = Tera::new();
    tera.autoescape_on(Vec::<&'static str>::new());
    filters::register(&mut tera);
    tera
}

/// Renders a template of Lakewright's own, which tests keep free of errors.
pub fn render_own<T: Serialize>(template: &str, data: &T) -> String {
    let mut tera = engine();
    let rendered = tera
        .add_raw_template("own", template)
        .and_then(|()| Context::from_serialize(data))
        .and_then(|context| tera.render("own", &context));
    rendered.unwrap_or_else(|error| format!("# defect of lakewright: {error}\n"))
}

/// Writes a value as YAML: block style, texts quoted where they would be read as something else.
pub fn to_yaml<T: Serialize>(value: &T) -> String {
    // Folded lines would make one changed word a diff of many.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(value, options)
        .unwrap_or_else(|error| format!("# defect of lakewright: {error}\n"))
}

/// The line at the top of every generated file that can have comments.
pub fn header(source: &str) -> String {
    format!("Made by lakewright from {source}. Change that and build again: edits here are lost.")
}
