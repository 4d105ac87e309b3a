// Package emrserverless is an emulator of Amazon EMR Serverless for people and
// tests without an AWS account. It speaks the service's REST protocol, checks
// SigV4, and carries jobs out: by spark-submit on Spark 3.5 (SparkRunner), or,
// for crash tests that need many jobs, by writing a result without Spark
// (ResultRunner).
//
// A job goes through SUBMITTED, PENDING (QUEUED when the application limits
// its concurrent runs), SCHEDULED and RUNNING to SUCCESS, FAILED or CANCELLED
// by way of CANCELLING. Before it runs, its surroundings are looked at as they
// are in the emulated AWS (Cloud): the execution role and its policies, the
// subnets and VPC endpoints of the application. A job that AWS would leave
// without a route to a service gets an address that never answers; what its
// role does not allow is refused, call by call, at the job's gate.
//
// Faults makes the API misbehave on purpose; the Ledger, a file of its own,
// has one line for every call that could have started a job.
//
// docs/emulator.md lists what is our reading of AWS and not verified.
package emrserverless
