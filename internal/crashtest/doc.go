// Package crashtest kills real server processes at named points and at random
// moments, and checks afterwards that nothing acknowledged was lost, nothing
// was done twice outside, and nothing was left behind.
//
// The server is the real supervisor over the real store, on SQLite and on
// PostgreSQL, in a child process. Only what lies outside of it is played: a
// world in a directory, with an executor whose jobs outlive the process, one
// whose jobs die with it, and a generator. The world writes a ledger of its
// own, which the checker compares with the database.
package crashtest
