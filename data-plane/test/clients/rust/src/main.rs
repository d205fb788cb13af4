//! Drives a database through Turso Sync for Rust, as the test tells it.
//!
//! Reads a line of JSON for each step from standard input and answers with one: {"ok": value} or {"error": text}.
//! The steps are those of `SyncStep` in `../sync-client.ts`.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::time::Duration;

use serde_json::{Value as Json, json};
use turso::sync::{Builder, Database, PartialBootstrapStrategy, PartialSyncOpts};
use turso::{Connection, Value, params_from_iter};

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Replica {
    database: Database,
    connection: Connection,
}

fn text<'a>(step: &'a Json, field: &str) -> Outcome<&'a str> {
    step[field]
        .as_str()
        .ok_or_else(|| format!("the step has no {field}").into())
}

async fn connect(step: &Json) -> Outcome<Replica> {
    let mut builder = Builder::new_remote(text(step, "path")?)
        .with_remote_url(text(step, "url")?)
        .with_auth_token(text(step, "token")?)
        .with_client_name("rust-test");
    if let Some(wanted) = step["bootstrap"].as_bool() {
        builder = builder.bootstrap_if_empty(wanted);
    }
    if let Some(milliseconds) = step["longPollMs"].as_u64() {
        builder = builder.with_long_poll_timeout(Duration::from_millis(milliseconds));
    }
    let prefix = step["prefix"]
        .as_u64()
        .map(|length| PartialBootstrapStrategy::Prefix {
            length: length as usize,
        });
    let query = step["query"]
        .as_str()
        .map(|query| PartialBootstrapStrategy::Query {
            query: query.to_string(),
        });
    if let Some(strategy) = prefix.or(query) {
        builder = builder.with_partial_sync_opts_experimental(PartialSyncOpts {
            bootstrap_strategy: Some(strategy),
            segment_size: 0,
            prefetch: false,
        });
    }
    if let Some(key) = step["key"].as_str() {
        builder = builder.with_remote_encryption(key, text(step, "cipher")?.parse()?);
    }
    let database = builder.build().await?;
    let connection = database.connect().await?;
    Ok(Replica {
        database,
        connection,
    })
}

fn parameter(value: &Json) -> Outcome<Value> {
    Ok(match value {
        Json::Null => Value::Null,
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Real(number.as_f64().ok_or("a number that is no 64-bit one")?),
        },
        Json::String(text) => Value::Text(text.clone()),
        other => return Err(format!("no parameter: {other}").into()),
    })
}

/// Blobs have no form in JSON: the test asks for `hex(…)`.
fn cell(value: Value) -> Outcome<Json> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Integer(integer) => json!(integer),
        Value::Real(real) => json!(real),
        Value::Text(text) => json!(text),
        Value::Blob(_) => return Err("a blob was asked for".into()),
    })
}

async fn run(connection: &Connection, step: &Json) -> Outcome<Json> {
    let given = step["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    let parameters = given
        .iter()
        .map(parameter)
        .collect::<Outcome<Vec<Value>>>()?;
    let mut rows = connection
        .query(text(step, "sql")?, params_from_iter(parameters))
        .await?;
    let mut answer = Vec::new();
    while let Some(row) = rows.next().await? {
        let cells = (0..row.column_count()).map(|column| cell(row.get_value(column)?));
        answer.push(Json::Array(cells.collect::<Outcome<Vec<Json>>>()?));
    }
    Ok(Json::Array(answer))
}

async fn answer(replicas: &mut HashMap<String, Replica>, line: &str) -> Outcome<Json> {
    let step: Json = serde_json::from_str(line)?;
    let name = text(&step, "name")?;
    let what = text(&step, "do")?;
    if what == "connect" {
        replicas.insert(name.to_string(), connect(&step).await?);
        return Ok(Json::Null);
    }
    let replica = replicas
        .get(name)
        .ok_or_else(|| format!("{name} is not connected"))?;
    match what {
        "run" => run(&replica.connection, &step).await,
        "push" => Ok(json!(replica.database.push().await?)),
        "pull" => Ok(json!(replica.database.pull().await?)),
        "checkpoint" => Ok(json!(replica.database.checkpoint().await?)),
        other => Err(format!("there is no step {other}").into()),
    }
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut replicas = HashMap::new();
    for line in stdin().lock().lines() {
        let said = match answer(&mut replicas, &line?).await {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        writeln!(stdout(), "{said}")?;
        stdout().flush()?;
    }
    Ok(())
}
