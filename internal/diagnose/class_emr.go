package diagnose

import "github.com/sparkwright/sparkwright"

// emrClasses are failures of EMR Serverless around the job. Their wording is
// from documentation: they cannot be provoked without an account.
func emrClasses() []Class {
	infra, transient := sparkwright.FaultInfrastructure, sparkwright.FaultTransient
	class := func(rank int, id, title, pattern, because, remedy, check string) Class {
		return Class{
			ID: id, Title: title, Kind: infra, Source: Documented, Rank: rank,
			Pattern: pattern, Because: because, Remedy: remedy, Check: check,
		}
	}
	quick := func(c Class) Class { c.Kind = transient; return c }
	return []Class{
		quick(class(9, "emr.max_capacity", "maximum capacity of the application reached", `ApplicationMaxCapacityExceededException|exceeded maximumCapacity settings`,
			"the application's maximum capacity does not hold the workers that the job wants, or other jobs use it",
			"raise maximum_capacity of the application (terraform: maximum_capacity), or run fewer jobs at once", "emr.capacity")),
		class(0, "emr.quota", "vCPU quota of the account reached", `ServiceQuotaExceededException|Max concurrent vCPUs|exceeded the account.{0,40}vCPU`,
			"the account's quota of concurrent vCPUs for EMR Serverless (16 unless raised) is used up",
			"aws service-quotas request-service-quota-increase --service-code emr-serverless --quota-code L-D05C8A75 --desired-value 64", "emr.quota"),
		class(0, "emr.subnet_addresses", "a subnet has no free address", `InsufficientFreeAddresses|not enough free (?:IP )?addresses|insufficient (?:free )?IP addresses`,
			"the subnets of the application have too few free addresses for its workers",
			"add larger subnets to the application's network configuration", "network.addresses"),
		quick(class(4, "emr.queue_timeout", "the job waited too long in the queue", `queue ?timeout|(?i:timed out in queue|queued .* timed out)`,
			"more jobs were waiting than the application runs at once, or no capacity came free",
			"raise scheduler_configuration.max_concurrent_runs or queue_timeout_minutes of the application", "emr.queue")),
		class(0, "emr.not_authorized", "the server may not start jobs", `not authorized to perform: emr-serverless:`,
			"the identity that Sparkwright runs as lacks a permission on the EMR Serverless application",
			"attach the policy that terraform output caller_policy prints", "aws.caller"),
		class(0, "emr.pass_role", "the server may not pass the role", `not authorized to perform: iam:PassRole`,
			"the identity that Sparkwright runs as may not hand the execution role to EMR Serverless",
			"allow iam:PassRole on the role with the condition iam:PassedToService = emr-serverless.amazonaws.com (terraform output caller_policy)", "aws.caller"),
		class(0, "emr.trust", "EMR Serverless may not use the role", `trust policy|cannot assume (?:the )?role|is not authorized to perform: sts:AssumeRole|Unable to assume role`,
			"the trust policy of the execution role does not name emr-serverless.amazonaws.com",
			"aws iam update-assume-role-policy with Principal Service emr-serverless.amazonaws.com", "iam.trust"),
		class(0, "emr.application_state", "the application cannot take jobs", `application .*(?:is not in|must be in).*(?:STARTED|CREATED)|Application \S+ does not exist|application .* (?:TERMINATED|STOPPING)`,
			"the application does not exist any more, or is stopped and does not start by itself",
			"aws emr-serverless start-application, and switch auto-start on; or correct spark.emr_postgres_application_id", "emr.application"),
		class(0, "emr.max_executors", "maxExecutors is too small", `maxExecutors.*(?:less than|below|at least|must be)`,
			"spark.dynamicAllocation.maxExecutors is below what EMR Serverless takes",
			"set spark.dynamicAllocation.maxExecutors to 4 or more", "emr.capacity"),
		class(0, "emr.worker_size", "a worker size that does not exist", `(?i:worker (?:memory|configuration).*(?:not supported|invalid|not valid)|invalid worker)`,
			"EMR Serverless has fixed pairs of vCPU and memory, and the job asks for another",
			"use 1, 2, 4, 8 or 16 vCPU with 2 to 8 GB each: spark.executor_cores and spark.executor_memory", "emr.capacity"),
		class(4, "emr.job_timeout", "the job's time limit passed", `(?i:exceed\w* (?:its |the )?execution ?timeout|reached .*execution timeout)`,
			"the job ran longer than spark.emr_timeout_minutes",
			"ask for less, or raise spark.emr_timeout_minutes in the settings", "emr.capacity"),
	}
}
