package sqlguard

import "strings"

// plain reports whether a kind of node is harmless by itself.
func plain(kind string) bool {
	switch kind {
	case "ResTarget", "ColumnRef", "A_Star", "A_Const", "String", "Integer", "Float", "Boolean", "BitString", "ParamRef",
		"BoolExpr", "NullTest", "BooleanTest", "CoalesceExpr", "MinMaxExpr", "CaseExpr", "CaseWhen", "SubLink", "NamedArgExpr",
		"TypeCast", "TypeName", "CollateClause", "A_ArrayExpr", "RowExpr", "A_Indirection", "A_Indices",
		"SortBy", "WindowDef", "GroupingSet", "GroupingFunc", "SQLValueFunction",
		"RangeSubselect", "JoinExpr", "Alias", "List", "CommonTableExpr", "WithClause":
		return true
	default:
		return false
	}
}

// shown reports whether SHOW may tell of a setting.
func shown(name string) bool {
	switch name {
	case "transaction_isolation", "default_transaction_isolation", "transaction_read_only", "default_transaction_read_only", "server_version", "server_version_num",
		"server_encoding", "client_encoding", "standard_conforming_strings", "timezone", "datestyle", "search_path", "max_index_keys", "application_name", "statement_timeout":
		return true
	default:
		return false
	}
}

// catalogTable reports whether a table of the system holds names and types
// only. Those that hold values of users' tables (pg_stats, pg_largeobject),
// settings, roles or what others do are not among them.
func catalogTable(name string) bool {
	switch name {
	case "pg_class", "pg_namespace", "pg_attribute", "pg_attrdef", "pg_type", "pg_enum", "pg_range", "pg_collation", "pg_am",
		"pg_index", "pg_constraint", "pg_inherits", "pg_partitioned_table", "pg_description":
		return true
	default:
		return false
	}
}

// rowSource reports whether a function in FROM makes rows of its arguments.
func rowSource(name string) bool {
	switch name {
	case "generate_series", "unnest", "generate_subscripts", "regexp_split_to_table", "string_to_table", "regexp_matches",
		"json_array_elements", "jsonb_array_elements", "json_each", "jsonb_each", "_pg_expandarray", "pg_get_keywords":
		return true
	default:
		return false
	}
}

// harmlessFunctions only compute: nothing of them reads files, tables, settings
// or other sessions, waits, locks, or carries out SQL that is text.
const harmlessFunctions = ` abs acos acosd acosh age any_value array_agg array_append array_cat array_dims array_length array_lower
 array_ndims array_position array_positions array_prepend array_remove array_replace array_to_json array_to_string array_upper
 ascii asin asind asinh atan atan2 atan2d atand atanh avg bit_and bit_count bit_length bit_or bit_xor bool bool_and bool_or
 bpchar btrim cardinality cbrt ceil ceiling char_length character_length chr coalesce col_description concat concat_ws
 convert_from convert_to corr cos cosd cosh cot cotd count covar_pop covar_samp cume_dist current_database current_schema current_schemas obj_description random
 current_date date date_bin date_part date_trunc daterange decode degrees dense_rank div encode ends_with every exp extract factorial family
 first_value float4 float8 floor format format_type gcd get_bit get_byte greatest grouping hashtext host initcap int2 int4 int4range
 int8 int8range isempty isfinite json_agg json_array_length json_build_array json_build_object json_extract_path
 json_extract_path_text json_object_agg json_typeof jsonb_agg jsonb_array_length jsonb_build_array jsonb_build_object
 jsonb_extract_path jsonb_extract_path_text jsonb_object_agg jsonb_typeof justify_days justify_hours justify_interval lag
 last_value lcm lead least left length like like_escape ln localtime localtimestamp log log10 lower lower_inc lower_inf lpad ltrim make_date
 make_interval make_time make_timestamp make_timestamptz masklen max md5 min mod mode netmask network now nth_value ntile
 nullif num_nonnulls num_nulls numeric numrange octet_length overlay parse_ident percent_rank percentile_cont percentile_disc pg_expandarray
 _pg_expandarray pg_get_constraintdef pg_get_expr pg_get_indexdef pg_get_keywords pg_get_partition_constraintdef pg_get_userbyid pg_typeof pi position power
 quote_ident quote_literal quote_nullable radians rank regexp_count regexp_instr regexp_like regexp_match regexp_matches
 regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count regr_intercept regr_r2
 regr_slope regr_sxx regr_sxy regr_syy repeat replace reverse right round row_number row_to_json rpad rtrim scale sha224 sha256
 sha384 sha512 sign similar_escape similar_to_escape sin sind sinh split_part sqrt starts_with stddev stddev_pop stddev_samp
 string_agg string_to_array string_to_table strpos substr substring sum tan tand tanh text timezone to_ascii to_char to_date
 to_hex to_json to_jsonb to_number to_timestamp translate trim trim_scale trunc tsrange tstzrange unnest upper upper_inc upper_inf
 var_pop var_samp variance version width_bucket generate_series generate_subscripts json_array_elements jsonb_array_elements json_each
 jsonb_each timestamp timestamptz interval time xor `

func harmless(name string) bool {
	for f := range strings.FieldsSeq(harmlessFunctions) {
		if f == name {
			return true
		}
	}
	return false
}
