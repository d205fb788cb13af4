/**
 * The SQL functions that tenant statements may call, per engine. An allow-list, so that a function which an engine update
 * adds is refused until somebody has looked at it.
 *
 * Left out on purpose: functions that reach files or extensions (`readfile`, `writefile`, `lsmode`, `load_extension`, `edit`),
 * that run SQL given as text (`sha3_query`), that reach the cipher layer (`sqlite3mc_*`, `sqlite_crypt`), native pointers or
 * the process log (`fts3_tokenizer`, `geopoly_debug`, `sqlite_log`), and FTS3's `optimize()`, which writes from inside a SELECT.
 */
import type { EngineName } from '../../identity.js';

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

const common = words(`
  -> ->> abs acos acosh asin asinh atan atan2 atanh avg ceil ceiling changes char coalesce concat concat_ws cos cosh count
  cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp first_value floor format glob
  group_concat hex if ifnull iif instr json json_array json_array_length json_error_position json_extract json_group_array
  json_group_object json_insert json_object json_patch json_pretty json_quote json_remove json_replace json_set json_type
  json_valid jsonb jsonb_array jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch
  jsonb_remove jsonb_replace jsonb_set julianday lag last_insert_rowid last_value lead length like likelihood likely ln log
  log10 log2 lower ltrim match max median min mod nth_value ntile nullif octet_length percent_rank pi pow power printf quote
  radians raise random randomblob rank regexp replace round row_number rtrim sign sin sinh soundex sqlite_source_id
  sqlite_version sqrt strftime string_agg substr substring sum tan tanh time timediff total total_changes trim trunc typeof
  unhex unicode unixepoch unlikely upper uuid_blob uuid_str vector vector1bit vector32 vector64 vector8 vector_distance_cos
  vector_distance_l2 vector_extract zeroblob
`);

const libsqlOnly = words(`
  atn2 bm25 charindex cot coth difference fts5 fts5_source_id geopoly_area geopoly_bbox geopoly_blob geopoly_ccw
  geopoly_contains_point geopoly_group_bbox geopoly_json geopoly_overlap geopoly_regular geopoly_svg geopoly_within
  geopoly_xform highlight last_rows_affected leftstr libsql_vector_idx lower_quartile matchinfo mode offsets padc padl padr
  proper regexpi replicate reverse rightstr rtreecheck rtreedepth rtreenode sha3 snippet sqlite_compileoption_get
  sqlite_compileoption_used square stdev strfilter subtype upper_quartile uuid variance vector16 vectorb16
`);

const tursodbOnly = words(`
  array array_agg array_append array_cat array_contains array_contains_all array_length array_overlap array_position
  array_prepend array_remove array_slice array_to_string bin_record_json_object boolean_to_int conn_txn_id currval dur_h
  dur_m dur_ms dur_ns dur_s dur_us fts_highlight fts_match fts_score gcd gen_random_uuid int_to_boolean is_autocommit lcm
  lpad make_date make_timestamp nextval numeric_add numeric_decode numeric_div numeric_encode numeric_eq numeric_lt
  numeric_mul numeric_sub percentile percentile_cont percentile_disc repeat rpad setval stddev string_reverse
  string_to_array struct_extract struct_pack table_columns_json_array time_add time_add_date time_after time_before
  time_compare time_date time_equal time_fmt_date time_fmt_datetime time_fmt_iso time_fmt_time time_get time_get_day
  time_get_hour time_get_isoweek time_get_isoyear time_get_minute time_get_month time_get_nano time_get_second
  time_get_weekday time_get_year time_get_yearday time_micro time_milli time_nano time_now time_parse time_round time_since
  time_sub time_to_micro time_to_milli time_to_nano time_to_unix time_trunc time_unix time_until to_timestamp turso_version
  union_extract union_tag union_value unistr unistr_quote uuid4 uuid4_str uuid7 uuid7_str uuid7_timestamp_ms validate_ipaddr
  vector32_sparse vector_concat vector_distance_dot vector_distance_jaccard vector_slice
`);

const allowed: Record<EngineName, ReadonlySet<string>> = {
  libsql: new Set([...common, ...libsqlOnly]),
  tursodb: new Set([...common, ...tursodbOnly]),
};

/**
 * Functions that the engines call themselves while they run ALTER TABLE and ANALYZE. They appear in compiled programs and
 * are refused in tenant text.
 */
const internal: ReadonlySet<string> = new Set(
  words(`
  sqlite_rename_table sqlite_rename_column sqlite_rename_test sqlite_rename_quotefix sqlite_drop_column libsql_alter_column
  limbo_rename_table limbo_rename_column stat_init stat_push stat_get
`),
);

/** True when tenant SQL may call the function. `name` is in lower case. */
export function isAllowedFunction(engine: EngineName, name: string): boolean {
  return allowed[engine].has(name);
}

/** True when a compiled ALTER TABLE, ANALYZE or PRAGMA optimize may contain the function although tenants may not call it. */
export function isInternalFunction(name: string): boolean {
  return internal.has(name);
}

/** Every function that is refused in the text of a statement whether or not the engine lists it as registered. */
export const alwaysForbiddenFunctions: ReadonlySet<string> = new Set([
  ...internal,
  ...words(`
  fts3_tokenizer geopoly_debug load_extension lsmode optimize readfile sha3_query sqlite3mc_codec_data sqlite3mc_config
  sqlite3mc_config_table sqlite3mc_version sqlite_attach sqlite_crypt sqlite_detach sqlite_fail sqlite_log writefile
`),
]);
