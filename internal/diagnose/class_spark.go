package diagnose

import "github.com/sparkwright/sparkwright"

// sparkClasses are failures of Spark itself: memory, lost parts, versions.
func sparkClasses() []Class {
	infra, transient, lost := sparkwright.FaultInfrastructure, sparkwright.FaultTransient, sparkwright.FaultLost
	return []Class{
		{
			ID: "spark.heap", Title: "Java heap space", Kind: infra, Source: Provoked,
			Pattern: `java\.lang\.OutOfMemoryError|UNABLE_TO_ACQUIRE_MEMORY|Cannot grow BufferHolder|^\s*MemoryError`,
			Because: "the memory limit of Spark was reached",
			Remedy:  "ask for less, or raise spark.driver_memory (local) or spark.executor_memory (EMR) in the settings",
			Check:   "local.memory",
		},
		{
			ID: "spark.result_size", Title: "the result is too large for the driver", Kind: infra, Source: Provoked,
			Pattern: `bigger than spark\.driver\.maxResultSize|bigger than local result size limit`,
			Because: "the code brings more rows to the driver than it takes",
			Remedy:  "leave collect and toPandas away: results are written and previewed by themselves",
		},
		{
			ID: "spark.killed", Title: "a worker was killed for its memory (exit code 137)", Kind: infra, Source: Documented, Rank: 3,
			Pattern: `ExitCode: 137|[Ee]xit (?:code|status):? 137|Worker has been killed as memory usage exceeded`,
			Because: "a worker used more memory than it has: rows gathered in the driver, or a read without fetch size",
			Remedy:  "ask for less, or raise spark.executor_memory and spark.emr_driver_memory to the next worker size",
			Check:   "emr.capacity",
		},
		{
			ID: "spark.executor_lost", Title: "a Spark executor was lost", Kind: transient, Source: Documented, Rank: 6,
			Pattern: `ExecutorLostFailure|Lost executor \d+|Executor heartbeat timed out`,
			Because: "a Spark executor ended during the run, most often for lack of memory",
			Remedy:  "ask again; when it comes back raise spark.executor_memory",
			Check:   "emr.capacity",
		},
		{
			ID: "spark.fetch_failed", Title: "shuffle data was lost", Kind: transient, Source: Documented, Rank: 7,
			Pattern: `MetadataFetchFailedException|FetchFailedException|Missing an output location for shuffle`,
			Because: "shuffle files went away with the Spark executor that held them",
			Remedy:  "ask again; when it comes back raise memory and disk of the executors",
		},
		{
			ID: "spark.server_lost", Title: "the Spark server ended", Kind: lost, Source: Documented, Rank: 8,
			Spark:   []string{"RETRIES_EXCEEDED", "SESSION_CLOSED", "SESSION_CHANGED", "SESSION_NOT_FOUND"},
			Pattern: `StatusCode\.UNAVAILABLE|RETRIES_EXCEEDED|SESSION_(?:CLOSED|CHANGED|NOT_FOUND)|Connection reset by peer`,
			Because: "the Spark server ended during the run",
			Remedy:  "ask again; when it happens twice, raise spark.driver_memory in the settings",
			Check:   "local.memory",
		},
		{
			ID: "runtime.java_version", Title: "a jar is for another Java", Kind: infra, Source: Documented,
			Pattern: `UnsupportedClassVersionError`,
			Because: "a jar was built for a newer Java than the one that runs",
			Remedy:  "use Java 17 locally; on EMR a release from 7.0 on, or a jar for its Java",
			Check:   "emr.release",
		},
		{
			ID: "runtime.jar_mismatch", Title: "jars that do not fit one another", Kind: infra, Source: Documented,
			Pattern: `NoSuchMethodError|NoClassDefFoundError|IncompatibleClassChangeError`,
			Because: "a jar was built for another version of Spark or Scala",
			Remedy:  "pass no jar but the JDBC driver, or one for the Spark of the release",
			Check:   "emr.release",
		},
		{
			ID: "runtime.python_version", Title: "driver and workers have different Python versions", Kind: infra, Source: Documented,
			Spark:   []string{"PYTHON_VERSION_MISMATCH"},
			Pattern: `Python in worker has different version`,
			Because: "Spark's driver and executors run different versions of Python",
			Remedy:  "set spark.pyspark.python to the same interpreter for both",
			Check:   "local.python",
		},
	}
}
