// Package eval measures how often questions are answered, and rightly.
//
// A suite is a file of questions with hand-written SQL, or the rows themselves.
// Every question is given to an Asker, and what it answers is compared with
// the gold answer: Pipeline, of package main, does all that a question goes
// through; Direct hands the SQL of the built-in planner to PostgreSQL, which is
// quick.
//
// Scoring is by execution match: {a, b} in a gold SELECT or GROUP BY means that
// any non-empty choice of those columns is right (and further columns are
// accepted), {} in GROUP BY repeats the choice, semicolons separate
// alternatives. Names and order of columns are ignored, numbers have a relative
// tolerance of 1e-6, and the order of rows counts when the question asks for
// one. Rows for a question that cannot be answered are wrong.
package eval
