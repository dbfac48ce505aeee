//! Tera filters that quote a value for the language of the file it is put into.
//!
//! Each gives something that its language reads as exactly that value, or refuses what it cannot hold.

use tera::{Error, Kwargs, State, Tera, TeraResult, Value};

/// Adds all filters.
pub(super) fn register(tera: &mut Tera) {
    tera.register_filter("shell", |value: &Value, _: Kwargs, _: &State| {
        text(value).map(|text| shell(&text))
    });
    tera.register_filter("sql", |value: &Value, _: Kwargs, _: &State| {
        text(value).map(|text| format!("'{}'", text.replace('\'', "''")))
    });
    tera.register_filter("sql_id", |value: &Value, _: Kwargs, _: &State| {
        text(value).map(|text| format!("\"{}\"", text.replace('"', "\"\"")))
    });
    tera.register_filter("json", |value: &Value, _: Kwargs, _: &State| json(value));
    // HOCON is a superset of JSON.
    tera.register_filter("hocon", |value: &Value, _: Kwargs, _: &State| json(value));
    tera.register_filter("python", |value: &Value, _: Kwargs, _: &State| {
        serde_json::to_value(value)
            .map(|value| python(&value))
            .map_err(Error::message)
    });
    tera.register_filter("nginx", |value: &Value, _: Kwargs, _: &State| {
        let text = single_line(value, "nginx")?;
        if text.contains('$') {
            return Err(Error::message("nginx has no way to write a literal `$`"));
        }
        Ok(format!(
            "\"{}\"",
            text.replace('\\', "\\\\").replace('"', "\\\"")
        ))
    });
    tera.register_filter("haproxy", |value: &Value, _: Kwargs, _: &State| {
        // Single quotes are strong in HAProxy: nothing inside is special.
        Ok::<_, Error>(format!(
            "'{}'",
            single_line(value, "haproxy")?.replace('\'', "'\\''")
        ))
    });
    tera.register_filter("logstash", |value: &Value, _: Kwargs, _: &State| {
        logstash(value)
    });
    tera.register_filter("postgresql", |value: &Value, _: Kwargs, _: &State| {
        Ok::<_, Error>(format!(
            "'{}'",
            single_line(value, "postgresql.conf")?
                .replace('\\', "\\\\")
                .replace('\'', "''")
        ))
    });
    tera.register_filter("xml", |value: &Value, _: Kwargs, _: &State| {
        text(value).map(|text| {
            text.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .replace('\'', "&apos;")
        })
    });
    tera.register_filter("mib", |value: i64, _: Kwargs, _: &State| {
        value.div_euclid(1 << 20)
    });
    tera.register_filter("gib", |value: i64, _: Kwargs, _: &State| {
        value.div_euclid(1 << 30)
    });
}

/// Writes a scalar as text; anything else has no single quoted form.
fn text(value: &Value) -> TeraResult<String> {
    match serde_json::to_value(value).map_err(Error::message)? {
        serde_json::Value::String(text) => Ok(text),
        scalar @ (serde_json::Value::Bool(_) | serde_json::Value::Number(_)) => {
            Ok(scalar.to_string())
        }
        other => Err(Error::message(format!(
            "cannot quote {other}; it is no text and no number"
        ))),
    }
}

fn single_line(value: &Value, language: &str) -> TeraResult<String> {
    let text = text(value)?;
    if text.contains(|next: char| next.is_control()) {
        return Err(Error::message(format!(
            "{language} cannot hold a line break or control character"
        )));
    }
    Ok(text)
}

/// Quotes a word for a POSIX shell.
fn shell(text: &str) -> String {
    let plain = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&byte));
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Writes a value for a pipeline of Logstash, which knows no escapes but that of the quote itself.
fn logstash(value: &Value) -> TeraResult<String> {
    let items = |items: &mut dyn Iterator<Item = TeraResult<String>>, between: &str| {
        Ok::<_, Error>(items.collect::<TeraResult<Vec<_>>>()?.join(between))
    };
    match serde_json::to_value(value).map_err(Error::message)? {
        serde_json::Value::Array(list) => {
            let mut list = list
                .iter()
                .map(|item| logstash(&Value::from_serializable(item)));
            return Ok(format!("[{}]", items(&mut list, ", ")?));
        }
        serde_json::Value::Object(table) => {
            let mut entries = table.iter().map(|(key, item)| {
                let (key, item) = (Value::from(key.as_str()), Value::from_serializable(item));
                Ok(format!("{} => {}", logstash(&key)?, logstash(&item)?))
            });
            return Ok(format!("{{ {} }}", items(&mut entries, " ")?));
        }
        _ => {}
    }
    let text = single_line(value, "logstash")?;
    if text.contains("${") {
        return Err(Error::message(
            "logstash has no way to write a literal `${`",
        ));
    }
    for quote in ['\'', '"'] {
        // A backslash before the quote that ends the text would make it a part of it.
        if !text.contains(quote) && !text.ends_with('\\') {
            return Ok(format!("{quote}{text}{quote}"));
        }
    }
    Err(Error::message(
        "logstash cannot hold both kinds of quotes, or a backslash at the end; a regular expression can say \\x22",
    ))
}

fn json(value: &Value) -> TeraResult<String> {
    serde_json::to_string(value).map_err(Error::message)
}

/// Writes a value as a Python literal. JSON's texts are Python's, once characters outside the BMP need no surrogates.
fn python(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "None".to_owned(),
        serde_json::Value::Bool(true) => "True".to_owned(),
        serde_json::Value::Bool(false) => "False".to_owned(),
        serde_json::Value::Number(number) => number.to_string(),
        serde_json::Value::String(_) => value.to_string(),
        serde_json::Value::Array(items) => format!(
            "[{}]",
            items.iter().map(python).collect::<Vec<_>>().join(", ")
        ),
        serde_json::Value::Object(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| {
                    format!(
                        "{}: {}",
                        serde_json::Value::from(key.as_str()),
                        python(value)
                    )
                })
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, value: &str) -> String {
        let mut tera = Tera::new();
        tera.autoescape_on(Vec::<&'static str>::new());
        register(&mut tera);
        let mut context = tera::Context::new();
        context.insert("x", value);
        tera.add_raw_template("t", template).expect("a template");
        tera.render("t", &context)
            .unwrap_or_else(|error| format!("refused: {error}"))
    }

    #[test]
    fn each_language_reads_back_the_value() {
        let nasty = "a'b\"c\\d&<e";
        assert_eq!(render("{{ x | shell }}", nasty), r#"'a'\''b"c\d&<e'"#);
        assert_eq!(render("{{ x | sql }}", nasty), r#"'a''b"c\d&<e'"#);
        assert_eq!(render("{{ x | sql_id }}", nasty), r#""a'b""c\d&<e""#);
        assert_eq!(render("{{ x | json }}", nasty), r#""a'b\"c\\d&<e""#);
        assert_eq!(render("{{ x | python }}", nasty), r#""a'b\"c\\d&<e""#);
        assert_eq!(render("{{ x | nginx }}", nasty), r#""a'b\"c\\d&<e""#);
        assert_eq!(render("{{ x | postgresql }}", nasty), r#"'a''b"c\\d&<e'"#);
        assert_eq!(
            render("{{ x | xml }}", nasty),
            "a&apos;b&quot;c\\d&amp;&lt;e"
        );
        assert_eq!(render("{{ x | logstash }}", r#"a"b\d"#), r#"'a"b\d'"#);
        assert_eq!(render("{{ x | logstash }}", r"a'b\d"), r#""a'b\d""#);
        assert_eq!(render("{{ [x, x] | logstash }}", "a"), "['a', 'a']");
        assert_eq!(render("{{ {'k': x} | logstash }}", "a"), "{ 'k' => 'a' }");
        assert_eq!(render("{{ x | shell }}", "plain-word.1"), "plain-word.1");
        assert_eq!(render("{{ x | shell }}", ""), "''");
    }

    #[test]
    fn what_a_language_cannot_hold_is_refused() {
        assert!(render("{{ x | nginx }}", "a$b").contains("refused"));
        assert!(render("{{ x | nginx }}", "a\nb").contains("refused"));
        assert!(render("{{ x | haproxy }}", "a\nb").contains("refused"));
        for text in ["a'b\"c", "a\\", "${A}", "a\nb"] {
            assert!(
                render("{{ x | logstash }}", text).contains("refused"),
                "{text}"
            );
        }
        assert!(
            render("{{ y }}", "").contains("refused"),
            "undefined names are errors"
        );
    }
}
