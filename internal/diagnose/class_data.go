package diagnose

import "github.com/sparkwright/sparkwright"

// dataClasses are values and files that Spark cannot read.
func dataClasses() []Class {
	code, infra := sparkwright.FaultCode, sparkwright.FaultInfrastructure
	return []Class{
		{
			ID: "data.numeric_precision", Title: "a number has more than 38 digits", Kind: code, Source: Provoked,
			Spark:   []string{"DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION", "NUMERIC_VALUE_OUT_OF_RANGE"},
			Pattern: `Decimal precision \d+ exceeds max precision|DecimalType can only support precision up to`,
			Because: "a numeric column is wider than Spark's decimal of 38 digits, or has no precision",
			Remedy:  "read it through a view that casts it: x::numeric(38, 6), or x::text",
			Check:   "postgres.types",
		},
		{
			ID: "data.nan", Title: "a numeric column holds NaN", Kind: code, Source: Provoked,
			Pattern: `Bad value for type BigDecimal ?: ?(?:NaN|Infinity|-Infinity)`,
			Because: "a numeric column holds NaN or infinity, which Spark's decimals cannot",
			Remedy:  "filter these rows, or read the column through a view: NULLIF(x, 'NaN')",
			Check:   "postgres.types",
		},
		{
			ID: "data.array", Title: "an array with several dimensions", Kind: code, Source: Provoked,
			Spark:   []string{"COLUMN_ARRAY_ELEMENT_TYPE_MISMATCH"},
			Pattern: `ClassCastException: class \[Ljava\.lang|NullPointerException.*\[Ljava|ClassCastException.*class \[L`,
			Because: "a column holds arrays of arrays, which Spark's JDBC reader takes for flat ones",
			Remedy:  "read it through a view that casts it: to_jsonb(x)::text",
			Check:   "postgres.types",
		},
		{
			ID: "data.encoding", Title: "text that is not UTF-8", Kind: infra, Source: Documented, States: []string{"22021"},
			Pattern: `invalid byte sequence for encoding|character with byte sequence .* has no equivalent`,
			Because: "the database holds text that is not valid in its encoding, or is SQL_ASCII",
			Remedy:  "find and convert these rows; a database with encoding UTF8 does not let them in",
			Check:   "postgres.encoding",
		},
		{
			ID: "data.path_missing", Title: "a file or path does not exist", Kind: code, Source: Provoked, Spark: []string{"PATH_NOT_FOUND"},
			Pattern: `Path does not exist: |FileNotFoundException: No such file or directory: s3`,
			Because: "there is nothing at the path that the code reads",
			Remedy:  "correct the path, or upload the file again",
		},
		{
			ID: "data.corrupt_file", Title: "a file cannot be read", Kind: infra, Source: Provoked, Spark: []string{"FAILED_READ_FILE", "CANNOT_READ_FILE_FOOTER"},
			Pattern: `is not a Parquet file|corrupted file: the footer|Could not read footer for file|Malformed records are detected`,
			Because: "a file is damaged, still being written, or of another format than its name says",
			Remedy:  "write the file again, or choose the right format for it",
		},
		{
			ID: "data.disk", Title: "no disk space where Spark runs", Kind: infra, Source: Documented,
			Pattern: `^(?:.*java\.io\.IOException|.*OSError|.*Errno 28).*No space left on device|Disk quota exceeded`,
			Because: "the disk of the result directory or of Spark's scratch space is full; an EMR worker has 20 GB unless told otherwise",
			Remedy:  "free some space or set results.dir to another disk; on EMR set spark.emr-serverless.executor.disk=200G",
			Check:   "local.disk",
		},
	}
}
