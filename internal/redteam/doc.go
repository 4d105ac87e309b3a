// Package redteam holds the attacks that generated code and a database client
// of its could try, as tests: nothing of them gets out.
//
//	testdata/attacks.py   in the box of a client process, with the policy out of
//	                      the way: files, network, processes, the kernel
//	wire_test.go          messages to the broker, by a role that may write
//	spark_test.go         through Spark: its own ways to read files, start
//	                      programs, load code and reach databases
//	results_test.go       results that are made to mislead who reads them
//
// Each attack on the sandbox names the wall that it is stopped by. With that
// wall left out it has to succeed: TestWalls shows that each wall stands for
// something, and that the attacks are real.
package redteam
