//! Tests of rules in promtool's format: every alert has to fire with some series, and to stay silent with others.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::platform::rules::{Alert, Case, Rules};

/// A file of tests.
#[derive(Debug, Serialize)]
pub struct TestFile {
    /// Files with the rules, by their path from here.
    pub rule_files: Vec<String>,
    /// Time between two evaluations.
    pub evaluation_interval: &'static str,
    /// The tests.
    pub tests: Vec<Test>,
}

/// Series, and what comes of them.
#[derive(Debug, Serialize)]
pub struct Test {
    name: String,
    interval: String,
    input_series: Vec<Series>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    promql_expr_test: Vec<Counted>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alert_rule_test: Vec<Silent>,
}

#[derive(Debug, Serialize)]
struct Series {
    series: String,
    values: String,
}

#[derive(Debug, Serialize)]
struct Counted {
    expr: String,
    eval_time: String,
    exp_samples: Vec<Sample>,
}

#[derive(Debug, Serialize)]
struct Sample {
    labels: &'static str,
    value: u64,
}

#[derive(Debug, Serialize)]
struct Silent {
    eval_time: String,
    alertname: String,
    exp_alerts: [(); 0],
}

/// Makes the tests of a component's rules, if it has alerts with cases. The rules lie at `path`, seen from the tests.
pub fn file(rules: &Rules, path: String) -> Option<TestFile> {
    let alerts = rules.alerts.iter();
    let tests: Vec<Test> = alerts.flat_map(of_alert).collect();
    (!tests.is_empty()).then(|| TestFile {
        rule_files: vec![path],
        evaluation_interval: "1m",
        tests,
    })
}

fn of_alert(alert: &Alert) -> Vec<Test> {
    let mut numbers: BTreeMap<&str, u64> = BTreeMap::new();
    let tests = alert.cases.iter().map(|case| {
        let what = if case.firing > 0 {
            "fires"
        } else {
            "is silent"
        };
        let number = numbers.entry(what).or_default();
        *number += 1;
        test(alert, case, format!("{} {what}, case {number}", alert.name))
    });
    tests.collect()
}

fn test(alert: &Alert, case: &Case, name: String) -> Test {
    let series = case.series.iter().map(|(series, values)| Series {
        series: series.clone(),
        values: values.clone(),
    });
    let mut test = Test {
        name,
        interval: case.interval.clone(),
        input_series: series.collect(),
        promql_expr_test: Vec::new(),
        alert_rule_test: Vec::new(),
    };
    if case.firing > 0 {
        // How many fire is what matters; which labels they bear is said by the rule itself.
        test.promql_expr_test.push(Counted {
            expr: format!(
                "count(ALERTS{{alertname=\"{}\",alertstate=\"firing\"}})",
                alert.name
            ),
            eval_time: case.at.clone(),
            exp_samples: vec![Sample {
                labels: "{}",
                value: case.firing,
            }],
        });
    } else {
        test.alert_rule_test.push(Silent {
            eval_time: case.at.clone(),
            alertname: alert.name.clone(),
            exp_alerts: [],
        });
    }
    test
}
