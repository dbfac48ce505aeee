//! The expression language of blueprints: whole numbers, texts, lists; no floats, no loops, no side effects.
//!
//! Parsed once per run, evaluated against [`Names`]. `${…}` inside texts ([`Text`]) uses the same expressions. What each
//! operator and function means is fixed in `docs/reference/blueprint.md`; this module knows no blueprint and no platform.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use crate::units;
use crate::value::Value;

/// Names an expression may use, innermost first.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    names: &'a BTreeMap<String, Value>,
    outer: Option<&'a Names<'a>>,
}

impl<'a> Names<'a> {
    /// Makes the outermost scope.
    pub fn new(names: &'a BTreeMap<String, Value>) -> Self {
        Self { names, outer: None }
    }

    /// Puts more names in front of these.
    pub fn with(&'a self, names: &'a BTreeMap<String, Value>) -> Self {
        Self {
            names,
            outer: Some(self),
        }
    }

    /// Returns what a name stands for.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.names
            .get(name)
            .or_else(|| self.outer.and_then(|outer| outer.get(name)))
    }

    /// Returns all names with their values; inner ones hide outer ones.
    pub fn all(&self) -> BTreeMap<&'a str, &'a Value> {
        let mut all = self.outer.map(Names::all).unwrap_or_default();
        all.extend(
            self.names
                .iter()
                .map(|(name, value)| (name.as_str(), value)),
        );
        all
    }
}

/// Why an expression does not parse or evaluate: one lower-case phrase.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpressionError {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the expression's text where it was noticed, if it did not parse.
    pub at: Option<usize>,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(out, "{} (at character {})", self.message, at + 1),
            None => out.write_str(&self.message),
        }
    }
}

type Evaluated<'a> = Result<Cow<'a, Value>, ExpressionError>;

fn fault<T>(message: impl Into<String>) -> Result<T, ExpressionError> {
    Err(ExpressionError {
        message: message.into(),
        at: None,
    })
}

#[derive(Clone, PartialEq, Debug)]
enum Node {
    Literal(Value),
    List(Vec<Node>),
    Name(String),
    Member(Box<Node>, String),
    Index(Box<Node>, Box<Node>),
    Call(Function, Vec<Node>),
    Not(Box<Node>),
    Minus(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Choice(Box<Node>, Box<Node>, Box<Node>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Otherwise,
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Binary operators by how tightly they bind, weakest first.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[("??", Operator::Otherwise)],
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[("==", Operator::Equal), ("!=", Operator::Unequal)],
    &[
        ("<=", Operator::LessEqual),
        (">=", Operator::GreaterEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("in", Operator::In),
    ],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[
        ("*", Operator::Multiply),
        ("/", Operator::Divide),
        ("%", Operator::Remainder),
    ],
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Function {
    Min,
    Max,
    Clamp,
    CeilDiv,
    RoundDown,
    Len,
    Mib,
    Pluck,
    Join,
    Contains,
    Lower,
    Replace,
    Range,
}

/// The functions, with how many arguments each takes.
const FUNCTIONS: &[(&str, Function, usize, usize)] = &[
    ("min", Function::Min, 1, usize::MAX),
    ("max", Function::Max, 1, usize::MAX),
    ("clamp", Function::Clamp, 3, 3),
    ("ceil_div", Function::CeilDiv, 2, 2),
    ("round_down", Function::RoundDown, 2, 2),
    ("len", Function::Len, 1, 1),
    ("mib", Function::Mib, 1, 1),
    ("pluck", Function::Pluck, 2, 2),
    ("join", Function::Join, 2, 2),
    ("contains", Function::Contains, 2, 2),
    ("lower", Function::Lower, 1, 1),
    ("replace", Function::Replace, 3, 3),
    ("range", Function::Range, 1, 1),
];

/// How deep expressions may nest; a deeper one is refused so that no input can exhaust the stack.
const DEEPEST: usize = 40;

/// How long `range` may get: no platform has more replicas of one service.
const LONGEST_RANGE: i64 = 10_000;

/// A parsed expression.
#[derive(Clone, PartialEq, Debug)]
pub struct Expression(Node);

impl Expression {
    /// Parses an expression.
    ///
    /// # Errors
    /// What is not understood, with its byte offset.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let mut parser = Parser {
            text,
            at: 0,
            depth: 0,
        };
        let node = parser.choice()?;
        parser.skip_space();
        if parser.at < text.len() {
            return parser.refuse("unexpected text after the expression");
        }
        Ok(Self(node))
    }

    /// Evaluates the expression.
    ///
    /// # Errors
    /// An unknown name, a type that does not fit, a division by zero, a number out of range.
    pub fn evaluate(&self, names: &Names<'_>) -> Result<Value, ExpressionError> {
        evaluate(&self.0, names).map(Cow::into_owned)
    }

    /// Says whether the expression uses `table.key` with a key that passes the test.
    pub fn uses(&self, table: &str, test: impl Fn(&str) -> bool) -> bool {
        uses(&self.0, table, &test)
    }

    /// Returns the dotted names the expression uses, such as `options.row_limit`, sorted; for `explain`.
    pub fn names(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.0, &mut found);
        found.sort();
        found.dedup();
        found
    }
}

/// Says whether something in the expression is `table.key` with a key that passes the test.
fn uses(node: &Node, table: &str, test: &dyn Fn(&str) -> bool) -> bool {
    match node {
        Node::Literal(_) | Node::Name(_) => false,
        Node::Member(base, key) => match &**base {
            Node::Name(name) => name == table && test(key),
            other => uses(other, table, test),
        },
        Node::List(items) | Node::Call(_, items) => {
            items.iter().any(|item| uses(item, table, test))
        }
        Node::Not(base) | Node::Minus(base) => uses(base, table, test),
        Node::Index(left, right) | Node::Binary(_, left, right) => {
            uses(left, table, test) || uses(right, table, test)
        }
        Node::Choice(condition, yes, no) => [condition, yes, no]
            .into_iter()
            .any(|part| uses(part, table, test)),
    }
}

fn dotted(node: &Node) -> Option<String> {
    match node {
        Node::Name(name) => Some(name.clone()),
        Node::Member(base, key) => Some(format!("{}.{key}", dotted(base)?)),
        _ => None,
    }
}

fn collect(node: &Node, found: &mut Vec<String>) {
    if let Some(name) = dotted(node) {
        found.push(name);
        return;
    }
    match node {
        Node::Literal(_) | Node::Name(_) => {}
        Node::List(items) | Node::Call(_, items) => {
            items.iter().for_each(|item| collect(item, found))
        }
        Node::Member(base, _) | Node::Not(base) | Node::Minus(base) => collect(base, found),
        Node::Index(left, right) | Node::Binary(_, left, right) => {
            collect(left, found);
            collect(right, found);
        }
        Node::Choice(condition, yes, no) => [condition, yes, no]
            .into_iter()
            .for_each(|part| collect(part, found)),
    }
}

fn evaluate<'a>(node: &'a Node, names: &Names<'a>) -> Evaluated<'a> {
    Ok(match node {
        Node::Literal(value) => Cow::Borrowed(value),
        Node::List(items) => Cow::Owned(Value::List(
            items
                .iter()
                .map(|item| evaluate(item, names).map(Cow::into_owned))
                .collect::<Result<_, _>>()?,
        )),
        Node::Name(name) => match names.get(name) {
            Some(value) => Cow::Borrowed(value),
            None => {
                let all = names.all();
                let help = crate::diagnostic::suggest(name, all.keys().copied());
                return fault(format!(
                    "unknown name `{name}`{}",
                    help.map(|help| format!("; {help}")).unwrap_or_default()
                ));
            }
        },
        Node::Member(base, key) => {
            let whole = evaluate(base, names)?;
            let open =
                matches!(&**base, Node::Member(_, name) | Node::Name(name) if name == "params");
            member(whole, key, open, &|| dotted(base))?
        }
        Node::Index(base, index) => {
            let whole = evaluate(base, names)?;
            match evaluate(index, names)?.as_ref() {
                Value::Text(key) => member(whole, key, false, &|| dotted(base))?,
                Value::Int(at) => match (whole.as_ref(), usize::try_from(*at)) {
                    (Value::List(list), Ok(at)) if at < list.len() => Cow::Owned(list[at].clone()),
                    (Value::List(list), _) => {
                        return fault(format!("position {at} in a list of {}", list.len()));
                    }
                    (other, _) => return fault(format!("{} has no positions", other.kind())),
                },
                other => return fault(format!("{} cannot be a position or a key", other.kind())),
            }
        }
        Node::Call(function, arguments) => {
            let arguments = arguments
                .iter()
                .map(|argument| evaluate(argument, names))
                .collect::<Result<Vec<_>, _>>()?;
            Cow::Owned(call(*function, &arguments)?)
        }
        Node::Not(base) => Cow::Owned(Value::Bool(!truth(&*evaluate(base, names)?)?)),
        Node::Minus(base) => Cow::Owned(number(int(&*evaluate(base, names)?)?.checked_neg())?),
        Node::Binary(Operator::Otherwise, left, right) => match evaluate(left, names)? {
            value if *value == Value::Null => evaluate(right, names)?,
            value => value,
        },
        Node::Binary(Operator::Or, left, right) => Cow::Owned(Value::Bool(
            truth(&*evaluate(left, names)?)? || truth(&*evaluate(right, names)?)?,
        )),
        Node::Binary(Operator::And, left, right) => Cow::Owned(Value::Bool(
            truth(&*evaluate(left, names)?)? && truth(&*evaluate(right, names)?)?,
        )),
        Node::Binary(operator, left, right) => Cow::Owned(binary(
            *operator,
            &*evaluate(left, names)?,
            &*evaluate(right, names)?,
        )?),
        Node::Choice(condition, yes, no) => {
            if truth(&*evaluate(condition, names)?)? {
                evaluate(yes, names)?
            } else {
                evaluate(no, names)?
            }
        }
    })
}

fn member<'a>(
    whole: Cow<'a, Value>,
    key: &str,
    open: bool,
    base: &dyn Fn() -> Option<String>,
) -> Evaluated<'a> {
    let found = match &whole {
        Cow::Borrowed(Value::Table(table)) => table.get(key).map(Cow::Borrowed),
        Cow::Owned(Value::Table(table)) => table.get(key).cloned().map(Cow::Owned),
        value if **value == Value::Null => return Ok(Cow::Owned(Value::Null)),
        value => return fault(format!("{} has no `{key}`", value.kind())),
    };
    match (found, &*whole) {
        (Some(value), _) => Ok(value),
        (None, _) if open => Ok(Cow::Owned(Value::Null)),
        (None, Value::Table(table)) => {
            let help = crate::diagnostic::suggest(key, table.keys().map(String::as_str));
            fault(format!(
                "`{}` has no `{key}`{}",
                base().unwrap_or_else(|| "the table".to_owned()),
                help.map(|help| format!("; {help}")).unwrap_or_default()
            ))
        }
        (None, _) => Ok(Cow::Owned(Value::Null)),
    }
}

fn truth(value: &Value) -> Result<bool, ExpressionError> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        other => fault(format!("expected true or false, found {}", other.kind())),
    }
}

fn int(value: &Value) -> Result<i64, ExpressionError> {
    match value {
        Value::Int(number) => Ok(*number),
        other => fault(format!("expected a whole number, found {}", other.kind())),
    }
}

fn text(value: &Value) -> Result<&str, ExpressionError> {
    match value {
        Value::Text(text) => Ok(text),
        other => fault(format!("expected a text, found {}", other.kind())),
    }
}

fn list(value: &Value) -> Result<&[Value], ExpressionError> {
    match value {
        Value::List(list) => Ok(list),
        other => fault(format!("expected a list, found {}", other.kind())),
    }
}

fn number(result: Option<i64>) -> Result<Value, ExpressionError> {
    match result {
        Some(number) => Ok(Value::Int(number)),
        None => fault("the number is out of range"),
    }
}

fn binary(operator: Operator, left: &Value, right: &Value) -> Result<Value, ExpressionError> {
    let compare = |test: fn(std::cmp::Ordering) -> bool| match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(Value::Bool(test(left.cmp(right)))),
        (Value::Text(left), Value::Text(right)) => Ok(Value::Bool(test(left.cmp(right)))),
        _ => fault(format!(
            "cannot compare {} with {}",
            left.kind(),
            right.kind()
        )),
    };
    match operator {
        Operator::Equal => Ok(Value::Bool(left == right)),
        Operator::Unequal => Ok(Value::Bool(left != right)),
        Operator::Less => compare(std::cmp::Ordering::is_lt),
        Operator::LessEqual => compare(std::cmp::Ordering::is_le),
        Operator::Greater => compare(std::cmp::Ordering::is_gt),
        Operator::GreaterEqual => compare(std::cmp::Ordering::is_ge),
        Operator::In => Ok(Value::Bool(list(right)?.contains(left))),
        Operator::Add => match (left, right) {
            (Value::Text(_), _) | (_, Value::Text(_)) => {
                Ok(Value::Text(plain(left)? + &plain(right)?))
            }
            (Value::List(left), Value::List(right)) => {
                Ok(Value::List([&left[..], &right[..]].concat()))
            }
            _ => number(int(left)?.checked_add(int(right)?)),
        },
        Operator::Subtract => number(int(left)?.checked_sub(int(right)?)),
        Operator::Multiply => number(int(left)?.checked_mul(int(right)?)),
        Operator::Divide if int(right)? == 0 => fault("division by zero"),
        Operator::Divide => number(int(left)?.checked_div_euclid(int(right)?)),
        Operator::Remainder if int(right)? == 0 => fault("division by zero"),
        Operator::Remainder => number(int(left)?.checked_rem_euclid(int(right)?)),
        // Evaluated by the caller, who must not evaluate both sides.
        Operator::Otherwise | Operator::Or | Operator::And => fault("not a strict operator"),
    }
}

fn call(function: Function, arguments: &[Cow<'_, Value>]) -> Result<Value, ExpressionError> {
    let ints = || {
        arguments
            .iter()
            .map(|argument| int(argument))
            .collect::<Result<Vec<_>, _>>()
    };
    match function {
        Function::Min => Ok(Value::Int(ints()?.into_iter().min().unwrap_or_default())),
        Function::Max => Ok(Value::Int(ints()?.into_iter().max().unwrap_or_default())),
        Function::Clamp => {
            let (value, low, high) = (
                int(&arguments[0])?,
                int(&arguments[1])?,
                int(&arguments[2])?,
            );
            if low > high {
                return fault(format!("clamp between {low} and {high}, which is nothing"));
            }
            Ok(Value::Int(value.clamp(low, high)))
        }
        Function::CeilDiv => match (int(&arguments[0])?, int(&arguments[1])?) {
            (value, by) if by > 0 => {
                number(value.checked_add(by - 1).map(|value| value.div_euclid(by)))
            }
            (_, by) => fault(format!("ceil_div by {by}")),
        },
        Function::RoundDown => match (int(&arguments[0])?, int(&arguments[1])?) {
            (value, step) if step > 0 => number(Some(value - value.rem_euclid(step))),
            (_, step) => fault(format!("round_down to a step of {step}")),
        },
        Function::Len => match &*arguments[0] {
            Value::List(list) => Ok(Value::from(list.len() as u64)),
            Value::Text(text) => Ok(Value::from(text.chars().count() as u64)),
            Value::Table(table) => Ok(Value::from(table.len() as u64)),
            other => fault(format!("{} has no length", other.kind())),
        },
        Function::Mib => Ok(Value::Int(int(&arguments[0])?.div_euclid(1 << 20))),
        Function::Pluck => {
            let key = text(&arguments[1])?;
            let plucked = list(&arguments[0])?
                .iter()
                .map(|item| item.get(key).cloned().unwrap_or_default());
            Ok(Value::List(plucked.collect()))
        }
        Function::Join => {
            let parts = list(&arguments[0])?
                .iter()
                .map(plain)
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Value::Text(parts.join(text(&arguments[1])?)))
        }
        Function::Contains => match &*arguments[0] {
            Value::Text(whole) => Ok(Value::Bool(whole.contains(text(&arguments[1])?))),
            other => Ok(Value::Bool(list(other)?.contains(&arguments[1]))),
        },
        Function::Lower => Ok(Value::Text(text(&arguments[0])?.to_lowercase())),
        Function::Replace => Ok(Value::Text(
            text(&arguments[0])?.replace(text(&arguments[1])?, text(&arguments[2])?),
        )),
        Function::Range => match int(&arguments[0])? {
            end @ 0..=LONGEST_RANGE => Ok(Value::List((0..end).map(Value::Int).collect())),
            end => fault(format!("range of {end}")),
        },
    }
}

/// Writes a scalar as it stands in a text.
fn plain(value: &Value) -> Result<String, ExpressionError> {
    match value {
        Value::Text(text) => Ok(text.clone()),
        Value::Int(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        other => fault(format!("{} cannot stand in a text", other.kind())),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn refuse<T>(&self, message: impl Into<String>) -> Result<T, ExpressionError> {
        Err(ExpressionError {
            message: message.into(),
            at: Some(self.at),
        })
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Takes a symbol or a keyword, if it comes next.
    fn take(&mut self, symbol: &str) -> bool {
        self.skip_space();
        let rest = self.rest();
        let found = rest.starts_with(symbol)
            && !(symbol.ends_with(|last: char| last.is_ascii_alphabetic())
                && rest[symbol.len()..].starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_'))
            // `a ?? b` is not `a ? (? b)`.
            && !(symbol == "?" && rest.starts_with("??"));
        if found {
            self.at += symbol.len();
        }
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), ExpressionError> {
        if self.take(symbol) {
            return Ok(());
        }
        self.refuse(format!("expected `{symbol}`"))
    }

    fn choice(&mut self) -> Result<Node, ExpressionError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.refuse("the expression nests too deeply");
        }
        let condition = self.binary(0)?;
        let node = if self.take("?") {
            let yes = self.choice()?;
            self.expect(":")?;
            let no = self.choice()?;
            Node::Choice(Box::new(condition), Box::new(yes), Box::new(no))
        } else {
            condition
        };
        self.depth -= 1;
        Ok(node)
    }

    /// Reads operands and the operators between them that bind at least as tightly as a level.
    fn binary(&mut self, level: usize) -> Result<Node, ExpressionError> {
        let mut left = self.unary()?;
        while let Some((found, operator)) = self.operator(level) {
            let right = self.binary(found + 1)?;
            left = Node::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    /// Takes the operator that comes next, if it binds at least as tightly as a level.
    fn operator(&mut self, level: usize) -> Option<(usize, Operator)> {
        self.skip_space();
        // Most operands are followed by none.
        let next = self.rest().bytes().next()?;
        if !b"?|&=!<>i+-*/%".contains(&next) {
            return None;
        }
        (level..LEVELS.len()).find_map(|at| {
            let mut operators = LEVELS[at].iter();
            let (_, operator) = operators.find(|(symbol, _)| self.take(symbol))?;
            Some((at, *operator))
        })
    }

    fn unary(&mut self) -> Result<Node, ExpressionError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.refuse("the expression nests too deeply");
        }
        let node = if self.take("!") {
            Node::Not(Box::new(self.unary()?))
        } else if self.take("-") {
            Node::Minus(Box::new(self.unary()?))
        } else {
            self.postfix()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn postfix(&mut self) -> Result<Node, ExpressionError> {
        let mut node = self.primary()?;
        loop {
            if self.take(".") {
                let key = self.word();
                if key.is_empty() {
                    return self.refuse("expected a name after `.`");
                }
                node = Node::Member(Box::new(node), key);
            } else if self.take("[") {
                let index = self.choice()?;
                self.expect("]")?;
                node = Node::Index(Box::new(node), Box::new(index));
            } else {
                return Ok(node);
            }
        }
    }

    fn word(&mut self) -> String {
        self.skip_space();
        let rest = self.rest();
        let end = rest
            .find(|next: char| !(next.is_ascii_alphanumeric() || next == '_'))
            .unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        self.at += end;
        word
    }

    fn items(&mut self, end: &str) -> Result<Vec<Node>, ExpressionError> {
        let mut items = Vec::new();
        while !self.take(end) {
            if !items.is_empty() {
                self.expect(",")?;
                if self.take(end) {
                    break;
                }
            }
            items.push(self.choice()?);
        }
        Ok(items)
    }

    fn primary(&mut self) -> Result<Node, ExpressionError> {
        self.skip_space();
        let start = self.at;
        match self.rest().chars().next() {
            None => self.refuse("the expression ends too early"),
            Some('(') => {
                self.at += 1;
                let node = self.choice()?;
                self.expect(")")?;
                Ok(node)
            }
            Some('[') => {
                self.at += 1;
                Ok(Node::List(self.items("]")?))
            }
            Some(quote @ ('\'' | '"')) => {
                self.at += 1;
                let Some(end) = self.rest().find(quote) else {
                    self.at = start;
                    return self.refuse("the text has no closing quote");
                };
                let text = self.rest()[..end].to_owned();
                self.at += end + 1;
                Ok(Node::Literal(Value::Text(text)))
            }
            Some(digit) if digit.is_ascii_digit() => {
                let rest = self.rest();
                let end = rest
                    .find(|next: char| !next.is_ascii_alphanumeric())
                    .unwrap_or(rest.len());
                let written = &rest[..end];
                let parsed = written.parse::<i64>().ok().or_else(|| {
                    units::literal(written).and_then(|number| i64::try_from(number).ok())
                });
                match parsed {
                    Some(number) => {
                        self.at += end;
                        Ok(Node::Literal(Value::Int(number)))
                    }
                    None => self.refuse(format!("`{written}` is not a number with a known unit")),
                }
            }
            Some(first) if first.is_ascii_alphabetic() || first == '_' => {
                let word = self.word();
                match word.as_str() {
                    "true" => Ok(Node::Literal(Value::Bool(true))),
                    "false" => Ok(Node::Literal(Value::Bool(false))),
                    "null" => Ok(Node::Literal(Value::Null)),
                    _ if self.take("(") => {
                        let Some((_, function, least, most)) =
                            FUNCTIONS.iter().find(|(name, ..)| *name == word)
                        else {
                            self.at = start;
                            let help = crate::diagnostic::suggest(
                                &word,
                                FUNCTIONS.iter().map(|(name, ..)| *name),
                            );
                            return self.refuse(format!(
                                "unknown function `{word}`{}",
                                help.map(|help| format!("; {help}")).unwrap_or_default()
                            ));
                        };
                        let arguments = self.items(")")?;
                        if arguments.len() < *least || arguments.len() > *most {
                            self.at = start;
                            return self.refuse(format!(
                                "`{word}` does not take {} arguments",
                                arguments.len()
                            ));
                        }
                        Ok(Node::Call(*function, arguments))
                    }
                    _ => Ok(Node::Name(word)),
                }
            }
            Some(other) => self.refuse(format!("unexpected `{other}`")),
        }
    }
}

/// A text with `${…}` in it.
#[derive(Clone, PartialEq, Debug)]
pub struct Text(Vec<Part>);

#[derive(Clone, PartialEq, Debug)]
enum Part {
    Plain(String),
    Filled(Expression),
}

impl Text {
    /// Parses a text; `$${` stands for a literal `${`.
    ///
    /// # Errors
    /// A `${` without its `}`, or an expression in it that does not parse.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(found) = rest.find("${") {
            let (before, after) = rest.split_at(found);
            if let Some(escaped) = before.strip_suffix('$') {
                plain.push_str(escaped);
                plain.push_str("${");
                rest = &after[2..];
                continue;
            }
            plain.push_str(before);
            // No expression has a brace of its own, except in quotes.
            let mut quote = None;
            let end = after.char_indices().skip(2).find(|(_, next)| {
                match (quote, next) {
                    (None, '\'' | '"') => quote = Some(*next),
                    (Some(open), close) if open == *close => quote = None,
                    _ => {}
                }
                quote.is_none() && *next == '}'
            });
            let Some((end, _)) = end else {
                return fault("`${` without its `}`");
            };
            if !plain.is_empty() {
                parts.push(Part::Plain(std::mem::take(&mut plain)));
            }
            parts.push(Part::Filled(Expression::parse(&after[2..end])?));
            rest = &after[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() || parts.is_empty() {
            parts.push(Part::Plain(plain));
        }
        Ok(Self(parts))
    }

    /// Fills the text in. A text that is one expression keeps its type; any other becomes a text.
    ///
    /// # Errors
    /// Those of the expressions; a list, a table or nothing in the middle of a text.
    pub fn fill(&self, names: &Names<'_>) -> Result<Value, ExpressionError> {
        match &self.0[..] {
            [Part::Filled(only)] => only.evaluate(names),
            parts => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Plain(plain) => text.push_str(plain),
                        Part::Filled(expression) => {
                            text.push_str(&plain(&expression.evaluate(names)?)?)
                        }
                    }
                }
                Ok(Value::Text(text))
            }
        }
    }

    /// Fills the text in, as a text whatever the expression gives.
    ///
    /// # Errors
    /// As for [`Text::fill`].
    pub fn fill_text(&self, names: &Names<'_>) -> Result<String, ExpressionError> {
        plain(&self.fill(names)?)
    }

    /// Returns the dotted names the text uses, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut found: Vec<String> = self
            .0
            .iter()
            .flat_map(|part| match part {
                Part::Plain(_) => Vec::new(),
                Part::Filled(expression) => expression.names(),
            })
            .collect();
        found.sort();
        found.dedup();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> BTreeMap<String, Value> {
        BTreeMap::from([
            ("memory".to_owned(), Value::Int(768 << 20)),
            ("cpus".to_owned(), Value::Int(2)),
            (
                "params".to_owned(),
                Value::table([("database", Value::from("superset"))]),
            ),
            (
                "options".to_owned(),
                Value::table([("row_limit", Value::Int(5)), ("heap", Value::Null)]),
            ),
            ("hosts".to_owned(), Value::from(vec!["a", "b"])),
            ("gone".to_owned(), Value::Null),
        ])
    }

    fn show(text: &str) -> String {
        let names = names();
        match Expression::parse(text).and_then(|parsed| parsed.evaluate(&Names::new(&names))) {
            Ok(value) => value.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn evaluates() {
        let cases = [
            ("1 + 2 * 3", "7"),
            ("-7 / 2", "-4"),
            ("7 % 3", "1"),
            ("max(2, 2 * cpus)", "4"),
            ("mib(memory / 4)", "192"),
            ("clamp(memory / 2, 512MiB, 8GiB) == 512MiB", "true"),
            ("round_down(memory, 1GiB)", "0"),
            ("500m + 30s + 5min", "830"),
            ("options.heap ?? memory", "805306368"),
            ("gone.anything.at.all ?? 'none'", "\"none\""),
            ("params.user ?? params.database", "\"superset\""),
            ("cpus > 1 && !(cpus > 2) ? 'two' : 'other'", "\"two\""),
            ("'a' in hosts || false", "true"),
            ("join(hosts, ',') + ':' + 80", "\"a,b:80\""),
            ("[1, 2,] + [3]", "[1, 2, 3]"),
            ("hosts[1]", "\"b\""),
            ("ceil_div(7, 2)", "4"),
            ("len(range(3))", "3"),
            (
                "inner",
                "error: unknown name `inner`; known here: `cpus`, `gone`, `hosts`, `memory`, `options`, `params`",
            ),
            (
                "options.row_limt",
                "error: `options` has no `row_limt`; did you mean `row_limit`?",
            ),
            ("1 / 0", "error: division by zero"),
            (
                "9223372036854775807 + 1",
                "error: the number is out of range",
            ),
            (
                "1 +",
                "error: the expression ends too early (at character 4)",
            ),
            (
                "1 2",
                "error: unexpected text after the expression (at character 3)",
            ),
            (
                "5Gib",
                "error: `5Gib` is not a number with a known unit (at character 1)",
            ),
            (
                "mx(1)",
                "error: unknown function `mx`; did you mean `max`? (at character 1)",
            ),
            (
                "clamp(1)",
                "error: `clamp` does not take 1 arguments (at character 1)",
            ),
            (
                "1 && true",
                "error: expected true or false, found a whole number",
            ),
            (
                "'open",
                "error: the text has no closing quote (at character 1)",
            ),
            ("range(99999999)", "error: range of 99999999"),
        ];
        for (text, expected) in cases {
            assert_eq!(show(text), expected, "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error() {
        for text in [
            "(".repeat(100_000),
            "!".repeat(100_000),
            "[".repeat(100_000),
            "a?".repeat(100_000),
        ] {
            assert!(show(&text).contains("nests too deeply"), "{}", &text[..4]);
        }
    }

    #[test]
    fn texts_are_filled_in() {
        let names = names();
        let fill =
            |text: &str| Text::parse(text).and_then(|parsed| parsed.fill(&Names::new(&names)));
        assert_eq!(
            fill("a=${cpus};b=$${cpus}$").map(|value| value.to_string()),
            Ok("\"a=2;b=${cpus}$\"".to_owned())
        );
        assert_eq!(fill("${cpus}"), Ok(Value::Int(2)));
        assert_eq!(fill("${'}'}"), Ok(Value::from("}")));
        assert!(fill("${cpus").is_err());
        assert!(fill("x${hosts}").is_err());
        assert!(fill("x${gone}").is_err());
    }

    #[test]
    fn says_which_names_it_uses() {
        let parsed =
            Expression::parse("max(options.row_limit, cpus) + options.row_limit").expect("parses");
        assert_eq!(parsed.names(), ["cpus", "options.row_limit"]);
    }
}
