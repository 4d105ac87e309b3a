package diagnose

import "github.com/sparkwright/sparkwright"

// lambdaClasses are the limits of Spark on Lambda.
func lambdaClasses() []Class {
	class := func(rank int, id, title, pattern, because, remedy string) Class {
		return Class{
			ID: "lambda." + id, Title: title, Kind: sparkwright.FaultInfrastructure, Source: Documented, Rank: rank,
			Pattern: pattern, Because: because, Remedy: remedy,
		}
	}
	return []Class{
		class(0, "timeout", "the function's time limit passed", `Task timed out after [0-9.]+ seconds`,
			"the question needs longer than a Lambda function may run (15 minutes at most)", "run it on EMR: --executor emr, or lower spark.file_size_threshold_mb"),
		class(3, "memory", "the function was killed", `Runtime exited with error: signal: killed|Runtime\.OutOfMemory|RequestId: \S+ Error: Runtime exited`,
			"the function used more memory than it has", "run it on EMR: --executor emr, or give the function more memory"),
		class(0, "payload", "the reply is larger than 6 MB", `Response payload size exceeded|RequestEntityTooLarge|payload size \(\d+ bytes\) exceeded`,
			"Lambda takes and gives at most 6 MB at once", "let results go to S3, as runs of Sparkwright do"),
		class(0, "throttled", "Lambda runs no further instance", `TooManyRequestsException|Rate Exceeded.*Lambda|ReservedFunctionConcurrentInvocationLimitExceeded`,
			"the account or the function runs as many instances as it may", "raise the reserved concurrency, or run it on EMR"),
	}
}
