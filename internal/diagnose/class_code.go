package diagnose

import "github.com/sparkwright/sparkwright"

// codeClasses are mistakes of the analysis itself.
func codeClasses() []Class {
	const again = "ask in other words, or correct the code: sparkwright runs show RUN --code"
	code := func(id, title, because, remedy, pattern string, spark ...string) Class {
		return Class{
			ID: "code." + id, Title: title, Kind: sparkwright.FaultCode, Source: Provoked, Because: because,
			Remedy: remedy, Pattern: pattern, Spark: spark,
		}
	}
	python := func(id, title, because, pattern string) Class {
		c := code("python_"+id, title, because, again, pattern)
		c.Rank = 5 // what a library raises after another failure looks the same
		return c
	}
	return []Class{
		code("column_missing", "unknown column", "the code names a column that the table does not have", "look at the columns: sparkwright describe TABLE", "",
			"UNRESOLVED_COLUMN", "UNRESOLVED_USING_COLUMN_FOR_JOIN", "UNRESOLVED_FIELD", "MISSING_ATTRIBUTES", "FIELD_NOT_FOUND"),
		code("table_missing", "unknown table or view", "the code names a table that is not among the tables of the question", "add the table to the question, or correct its name", "",
			"TABLE_OR_VIEW_NOT_FOUND", "SCHEMA_NOT_FOUND").after(1),
		code("sql_syntax", "Spark does not understand the SQL", "the SQL is not valid in Spark", again, "",
			"PARSE_SYNTAX_ERROR", "UNCLOSED_BRACKETED_COMMENT", "INVALID_SQL_SYNTAX", "PARSE_EMPTY_STATEMENT"),
		code("type_mismatch", "types that do not fit", "an operation or a function gets a type that it does not take", "cast the column to the type that is needed", "",
			"DATATYPE_MISMATCH", "INCOMPATIBLE_COLUMN_TYPE", "UNEXPECTED_INPUT_TYPE"),
		code("ambiguous", "ambiguous column", "two tables have a column of this name", "write the table's alias before the column", "",
			"AMBIGUOUS_REFERENCE", "AMBIGUOUS_COLUMN_REFERENCE", "AMBIGUOUS_COLUMN_OR_FIELD"),
		code("aggregation", "column without aggregate", "a column is neither grouped by nor aggregated", "add it to GROUP BY, or wrap it in an aggregate", "",
			"MISSING_AGGREGATION", "MISSING_GROUP_BY", "UNSUPPORTED_EXPR_FOR_OPERATOR", "GROUP_BY_AGGREGATE"),
		code("function_missing", "unknown function", "Spark has no function of this name", "use Spark's name for it", "",
			"UNRESOLVED_ROUTINE", "ROUTINE_NOT_FOUND"),
		code("divide_by_zero", "division by zero", "a divisor is zero in some row", "divide by nullif(x, 0), or use try_divide", "",
			"DIVIDE_BY_ZERO", "REMAINDER_BY_ZERO"),
		code("cast", "a text is not what it is cast to", "a text cannot be read as the number or date it is cast to", "use try_cast, or filter these rows", "",
			"CAST_INVALID_INPUT", "CANNOT_PARSE_TIMESTAMP", "CONVERSION_INVALID_INPUT", "INVALID_CAST"),
		code("overflow", "a number is too large for its type", "a result does not fit into its type", "cast to bigint or decimal before the calculation", "",
			"ARITHMETIC_OVERFLOW", "CAST_OVERFLOW", "BINARY_ARITHMETIC_OVERFLOW"),
		code("subquery_rows", "a subquery gives several rows", "a subquery that stands for one value gives several rows", "aggregate in the subquery, or join instead", `more than one row returned by a subquery used as an expression`,
			"SCALAR_SUBQUERY_TOO_MANY_ROWS"),
		code("duplicate_column", "two columns of one name", "a query gives two columns the same name, or none", "give each an alias", "",
			"COLUMN_ALREADY_EXISTS"),
		code("jdbc_options", "JDBC options that exclude one another", "the code sets options of the JDBC reader that do not go together", "leave the reading to Sparkwright: use the views it makes",
			`can not be specified at the same time|Partition column type should be numeric|User-defined partition column|When reading JDBC data sources, users need to specify all or none`,
			"INVALID_PARTITION_COLUMN_DATA_TYPE"),
		python("name", "unknown name in Python", "the code uses a name that it does not define", `^\s*NameError: `),
		python("syntax", "Python syntax error", "the code is not valid Python", `^\s*(?:SyntaxError|IndentationError|TabError): `),
		python("attribute", "unknown method", "the code calls a method that the object does not have", `^\s*(?:\S+\.)?(?:AttributeError|PySparkAttributeError): `),
		python("type", "wrong argument in Python", "the code calls something with an argument it does not take", `^\s*(?:\S+\.)?(?:TypeError|PySparkTypeError): `),
		{
			ID: "runtime.module", Title: "a Python module is missing", Kind: sparkwright.FaultCode, Source: Provoked, Rank: 1,
			Pattern: `^\s*(?:ModuleNotFoundError|ImportError): `,
			Because: "the code imports a module that is not there where it runs",
			Remedy:  "use pyspark only; on EMR further modules need an image or a packed environment",
		},
	}
}
